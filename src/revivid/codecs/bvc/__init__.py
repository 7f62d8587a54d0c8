"""The byte stream of BVC, the learned codec for blurry video (second paper; docs/FORMAT.md describes every byte).

    header | record, record, ... | end record with the index       `header`, `records`
      record = GOP: times, then a keyframe and predicted frames     `gop`
                    keyframe: HEVC intra 4:2:0                      `keyframe`
                    predicted frame: two tensors of integers        `entropy`
      record = SIDE: a piece of a Matroska file with audio etc.     `beside`

No network is known here: latents go in as integers with the tables of their distribution, and come out as the same integers.
"""
