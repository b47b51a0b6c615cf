"use strict";
(() => {
  const field = document.getElementById("words");
  const body = document.getElementById("runs");
  if (!body) return;
  const rows = Array.from(body.rows, (row) => ({ row, text: row.textContent.toLowerCase().replace(/\s+/g, " ") }));
  const count = document.getElementById("count");
  const nothing = document.getElementById("nothing");
  const all = count.textContent;
  const said = rows.length === 1 ? count.dataset.one : count.dataset.many;
  const search = () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const { row, text } of rows) {
      row.hidden = !words.every((word) => text.includes(word));
      shown += row.hidden ? 0 : 1;
    }
    nothing.hidden = shown > 0;
    count.textContent = words.length ? said.replace("{shown}", shown).replace("{all}", rows.length) : all;
  };
  document.getElementById("search").hidden = false;
  field.addEventListener("input", search);
  search();
})();
