"""The learned codec in use: BVC's networks (`networks.bvc`) and its byte stream (`codecs.bvc`) made into files and back.

    Clips -> writer.BvcWriter  -> encoder.Encoder -> .bvc           `writer.BvcEncoding` is what a `Job` is given
    .bvc  -> reader.BvcReader  -> decoder.Decoder -> Clips          `opening.open_video` takes any file
"""
