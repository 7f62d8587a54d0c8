"use strict";
for (const compare of document.querySelectorAll(".compare")) {
  const pictures = [...compare.querySelectorAll("img")];
  if (pictures.length < 2) continue;
  const make = (kind, name, parent) => {
    const element = document.createElement(kind);
    element.className = name;
    parent.append(element);
    return element;
  };
  const stage = make("div", "stage", compare);
  const sides = ["left", "right"].map((side) => make("img", side, stage));
  make("div", "handle", stage);
  const range = make("input", "range", stage);
  range.type = "range";
  range.step = "0.1";
  range.setAttribute("aria-label", "where the left picture ends");
  const move = () => stage.style.setProperty("--at", range.value + "%");
  range.addEventListener("input", move);
  const choices = make("div", "choices", compare);
  const pickers = ["left", "right"].map((side, which) => {
    const picker = make("select", side, choices);
    picker.setAttribute("aria-label", "picture on the " + side);
    for (const [number, picture] of pictures.entries()) picker.add(new Option(picture.alt, number));
    const wanted = pictures.findIndex((picture) => picture.alt === compare.dataset[side]);
    picker.value = String(wanted < 0 ? which * (pictures.length - 1) : wanted);
    const show = () => {
      sides[which].src = pictures[picker.value].src;
      sides[which].alt = pictures[picker.value].alt;
    };
    picker.addEventListener("change", show);
    show();
    return picker;
  });
  stage.style.setProperty("--width", pictures[0].getAttribute("width"));
  stage.style.setProperty("--height", pictures[0].getAttribute("height"));
  range.value = "50";
  move();
  compare.classList.add("live");
}
