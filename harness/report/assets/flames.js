"use strict";
(() => {
  const flame = document.getElementById("flame");
  const boxes = [...flame.children];
  const at = boxes.map((box) => ({
    left: Number(box.dataset.l), width: Number(box.dataset.w), parent: Number(box.dataset.p),
    level: Number(box.getAttribute("aria-level")), text: box.title.toLowerCase(),
  }));
  const detail = document.getElementById("detail");
  const search = document.getElementById("search");
  const found = document.getElementById("found");
  let shown = 0;
  let current = 0;

  const isWithin = (index, top) => {
    let place = index;
    while (place > top) place = at[place].parent;
    return place === top;
  };

  const zoom = (top) => {
    shown = top;
    const above = new Set();
    for (let place = at[top].parent; place >= 0; place = at[place].parent) above.add(place);
    boxes.forEach((box, index) => {
      const inside = isWithin(index, top);
      const left = inside ? (at[index].left - at[top].left) / at[top].width * 100 : 0;
      const width = inside ? at[index].width / at[top].width * 100 : 100;
      box.hidden = !inside && !above.has(index);
      box.style.left = `${left}%`;
      box.style.width = `${width}%`;
      box.classList.toggle("narrow", width * flame.clientWidth < 1800);
    });
  };

  const look = (index) => {
    detail.hidden = false;
    detail.textContent = boxes[index].title;
  };

  const go = (index) => {
    if (index === undefined || index < 0 || boxes[index].hidden) return;
    boxes[current].tabIndex = -1;
    current = index;
    boxes[current].tabIndex = 0;
    boxes[current].focus({preventScroll: false});
    look(current);
  };

  const mark = () => {
    const wanted = search.value.trim().toLowerCase();
    let count = 0;
    let share = 0;
    const hits = at.map((place) => wanted !== "" && place.text.includes(wanted));
    boxes.forEach((box, index) => {
      box.classList.toggle("hit", hits[index]);
      box.classList.toggle("dim", wanted !== "" && !hits[index]);
      if (!hits[index]) return;
      count += 1;
      let above = at[index].parent;
      while (above >= 0 && !hits[above]) above = at[above].parent;
      if (above < 0) share += at[index].width;
    });
    const told = count === 1 ? found.dataset.one : found.dataset.many;
    found.textContent = wanted === "" ? "" : told.replace("{count}", count).replace("{share}", `${share.toFixed(1)} %`);
  };

  const level = (step) => {
    for (let index = current + step; index >= 0 && index < boxes.length; index += step) {
      if (at[index].level === at[current].level && !boxes[index].hidden) return index;
    }
    return undefined;
  };

  const whole = () => { zoom(0); go(current); };
  const moves = {
    ArrowUp: () => go(at[current].parent),
    ArrowDown: () => go(at.findIndex((place, index) => place.parent === current && !boxes[index].hidden)),
    ArrowLeft: () => go(level(-1)),
    ArrowRight: () => go(level(1)),
    Home: () => go(shown),
    Enter: () => { zoom(current); go(current); },
    " ": () => { zoom(current); go(current); },
    Escape: whole,
  };

  flame.addEventListener("keydown", (event) => {
    const move = moves[event.key];
    if (move === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    move();
  });
  flame.addEventListener("click", (event) => {
    const index = boxes.indexOf(event.target);
    if (index >= 0) { zoom(index); go(index); }
  });
  flame.addEventListener("pointerover", (event) => {
    const index = boxes.indexOf(event.target);
    if (index >= 0) look(index);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.target === search) return;
    event.preventDefault();
    search.focus();
  });
  search.addEventListener("input", mark);
  search.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    search.value = "";
    mark();
  });
  document.getElementById("reset").addEventListener("click", () => zoom(0));
  document.querySelector(".tools").hidden = false;
  document.querySelector(".keys").hidden = false;
  zoom(0);
})();
