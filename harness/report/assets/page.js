"use strict";
// What the page can do beyond being read: colours, sorting, filtering, units, copying, tabs, and hints of plots.
// Everything that is shown is in the page without it.
(() => {
  const root = document.documentElement;
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const status = document.querySelector(".status");
  root.classList.add("js");

  let saying;
  function say(text) {
    status.textContent = text;
    clearTimeout(saying);
    saying = setTimeout(() => { status.textContent = ""; }, 2500);
  }

  // Colours: as the system, light, dark. Kept by the browser where it lets us.
  const memory = {
    get() { try { return localStorage.getItem("tts-harness-theme"); } catch { return null; } },
    set(value) { try { localStorage.setItem("tts-harness-theme", value); } catch { /* a private window */ } },
  };
  function paint(button, theme) {
    if (theme === "auto") delete root.dataset.theme; else root.dataset.theme = theme;
    button.textContent = button.dataset[theme];
  }
  all("button.theme").forEach((button) => {
    const themes = ["auto", "light", "dark"];
    let theme = themes.includes(memory.get()) ? memory.get() : "auto";
    paint(button, theme);
    button.addEventListener("click", () => {
      theme = themes[(themes.indexOf(theme) + 1) % themes.length];
      memory.set(theme);
      paint(button, theme);
    });
  });

  // Numbers in a unit of the reader's choice.
  const UNITS = {
    s: { s: 1, ms: 1e-3, "µs": 1e-6 },
    bytes: { GiB: 2 ** 30, MiB: 2 ** 20, KiB: 2 ** 10, B: 1 },
  };
  function scaled(value, unit, to) {
    const number = value / UNITS[unit][to];
    const size = Math.abs(number) >= 1e7 ? 0 : Math.max(0, 4 - Math.max(1, Math.floor(Math.log10(Math.abs(number) || 1)) + 1));
    return `${number.toFixed(Math.min(size, 9))}\u202f${to}`;
  }

  // Tables with tools.
  const shown = (row) => !row.hidden;
  const text = (cell) => cell.innerText.replace(/\s*\n\s*/g, " – ").replace(/\s+/g, " ").trim();
  const valueOf = (cell) => (cell === undefined ? "" : cell.dataset.v ?? text(cell));

  function columns(table) {
    // One name for each column, also where the head has two rows.
    const rows = all("thead tr", table);
    if (rows.length === 1) return all("th", rows[0]).map(text);
    const inner = all("th", rows[1]).map(text);
    return all("th", rows[0]).flatMap((th) => th.colSpan === 1 ? [text(th)]
      : inner.splice(0, th.colSpan).map((name) => `${text(th)} ${name}`));
  }
  function columnOf(table, th) {
    let place = 0;
    for (const other of all("tr:first-child th", table.tHead)) {
      if (other === th) return place;
      place += other.colSpan;
    }
    return -1;
  }
  function sort(table, th) {
    const column = columnOf(table, th);
    const up = th.getAttribute("aria-sort") !== "ascending";
    const numeric = th.dataset.sort === "number";
    all("th[aria-sort]", table).forEach((other) => other.removeAttribute("aria-sort"));
    th.setAttribute("aria-sort", up ? "ascending" : "descending");
    const rows = all("tbody tr", table);
    const keyed = rows.map((row) => [valueOf(row.cells[column]), row]);
    keyed.sort(([a], [b]) => {
      if (!numeric) return (up ? 1 : -1) * a.localeCompare(b);
      const [first, second] = [parseFloat(a), parseFloat(b)];
      if (Number.isNaN(first) || Number.isNaN(second)) return Number.isNaN(first) - Number.isNaN(second);
      return (up ? 1 : -1) * (first - second);
    });
    table.tBodies[0].append(...keyed.map(([, row]) => row));
  }
  function cells(table, raw) {
    const head = columns(table);
    const body = all("tbody tr", table).filter(shown);
    if (!raw) return [head, ...body.map((row) => [...row.cells].map(text))];
    const units = head.map((_, n) => body.map((row) => row.cells[n]?.dataset.u).find(Boolean));
    return [head.map((name, n) => units[n] ? `${name} [${units[n]}]` : name),
      ...body.map((row) => [...row.cells].map((cell) => cell.dataset.u ? cell.dataset.v : text(cell)))];
  }
  const markdown = ([head, ...body]) => [head, head.map(() => "---"), ...body]
    .map((row) => `| ${row.map((cell) => cell.replace(/[\\|<>*_`[\]]/g, "\\$&")).join(" | ")} |`).join("\n") + "\n";
  const csv = (rows) => rows.map((row) => row.map((cell) => {
    // A cell that a spreadsheet would compute is kept as text.
    const safe = /^[=+@\t]|^-(?!\d)/.test(cell) ? `'${cell}` : cell;
    return /[",\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  }).join(",")).join("\r\n") + "\r\n";

  async function copy(what, told) {
    try {
      await navigator.clipboard.writeText(what);
    } catch {
      const area = document.createElement("textarea");
      area.value = what;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    say(told);
  }

  function equip(tools) {
    const table = document.getElementById(tools.dataset.for);
    all("th[data-sort]", table).forEach((th) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...th.childNodes);
      th.append(button);
      button.addEventListener("click", () => sort(table, th));
    });
    const filter = tools.querySelector("[data-tool=filter]");
    const count = tools.querySelector("[data-tool=count]");
    filter?.addEventListener("input", () => {
      const wanted = filter.value.trim().toLowerCase();
      const rows = all("tbody tr", table);
      rows.forEach((row) => { row.hidden = !row.textContent.toLowerCase().includes(wanted); });
      count.textContent = wanted
        ? count.dataset.text.replace("{shown}", rows.filter(shown).length).replace("{all}", rows.length) : "";
    });
    const choice = tools.querySelector("[data-tool=units]");
    const unit = table.querySelector("tbody td[data-u]")?.dataset.u;
    if (unit in UNITS) {
      Object.keys(UNITS[unit]).forEach((name) => choice.add(new Option(name, name)));
      choice.addEventListener("change", () => all("tbody td[data-u]", table).forEach((cell) => {
        cell.dataset.fit ??= cell.textContent;
        cell.textContent = choice.value ? scaled(parseFloat(cell.dataset.v), unit, choice.value) : cell.dataset.fit;
      }));
    } else {
      choice.closest("label").remove();
    }
    all("button[data-tool]", tools).forEach((button) => button.addEventListener("click", () => {
      const raw = button.dataset.tool === "csv";
      copy((raw ? csv : markdown)(cells(table, raw)), button.dataset.done);
    }));
  }
  all(".tools").forEach(equip);
  all("button[data-copy]").forEach((button) => button.addEventListener("click", () => {
    copy(button.parentElement.querySelector("code").textContent, button.dataset.done);
  }));

  // Tabs: sections that stand below one another without this.
  all(".tabs").forEach((tabs, group) => {
    const panels = all(":scope > .tab", tabs);
    if (panels.length < 2) return;
    const list = document.createElement("div");
    list.className = "tablist";
    list.setAttribute("role", "tablist");
    list.setAttribute("aria-label", tabs.dataset.label);
    const buttons = panels.map((panel, place) => {
      const button = document.createElement("button");
      panel.id ||= `tab-${group}-${place}`;
      button.id = `${panel.id}-button`;
      button.type = "button";
      button.textContent = panel.dataset.tab;
      button.setAttribute("role", "tab");
      button.setAttribute("aria-controls", panel.id);
      panel.setAttribute("role", "tabpanel");
      panel.setAttribute("aria-labelledby", button.id);
      list.append(button);
      return button;
    });
    const show = (chosen) => panels.forEach((panel, place) => {
      panel.classList.toggle("away", place !== chosen);
      buttons[place].setAttribute("aria-selected", String(place === chosen));
      buttons[place].tabIndex = place === chosen ? 0 : -1;
    });
    buttons.forEach((button, place) => {
      button.addEventListener("click", () => show(place));
      button.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1, Home: -place, End: panels.length - 1 - place }[event.key];
        if (step === undefined) return;
        event.preventDefault();
        const next = (place + step + panels.length) % panels.length;
        show(next);
        buttons[next].focus();
      });
    });
    tabs.prepend(list);
    show(0);
  });

  // Hints of plots: titles of SVG, and the nearest point of a cloud.
  const hint = document.createElement("div");
  hint.className = "hint";
  hint.hidden = true;
  hint.setAttribute("aria-hidden", "true");
  document.body.append(hint);
  function point(event, told) {
    hint.hidden = !told;
    if (!told) return;
    hint.textContent = told;
    const { width, height } = hint.getBoundingClientRect();
    hint.style.left = `${Math.min(event.clientX + 14, innerWidth - width - 8)}px`;
    hint.style.top = `${event.clientY - height - 12 > 4 ? event.clientY - height - 12 : event.clientY + 18}px`;
  }
  function seconds(value) {
    if (value >= 120) return `${Math.floor(value / 60)}\u202fmin ${Math.round(value % 60)}\u202fs`;
    const unit = value >= 1 ? "s" : value >= 1e-3 ? "ms" : "µs";
    return scaled(value, "s", unit);
  }
  const clouds = new WeakMap();
  function points(svg) {
    if (!clouds.has(svg)) {
      clouds.set(svg, all(".cloud", svg).map((cloud) => [cloud.dataset.label,
        [...cloud.querySelector("path").getAttribute("d").matchAll(/M([\d.-]+) ([\d.-]+)/g)].map((m) => [+m[1], +m[2]])]));
    }
    return clouds.get(svg);
  }
  function nearest(svg, event) {
    const place = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    let best = 144, found = null;
    for (const [label, path] of points(svg)) {
      for (const [x, y] of path) {
        const distance = (x - place.x) ** 2 + (y - place.y) ** 2;
        if (distance < best) { best = distance; found = [label, svg.dataset.axis === "x" ? x : y]; }
      }
    }
    if (!found) return "";
    const value = parseFloat(svg.dataset.a) + parseFloat(svg.dataset.b) * found[1];
    const exact = "log" in svg.dataset ? Math.exp(value) : value;
    return `${found[0]}\n${svg.dataset.unit === "ratio" ? exact.toPrecision(3) : seconds(exact)}`;
  }
  all("figure svg").forEach((svg) => {
    all(".tip", svg).forEach((tip) => { tip.dataset.hint = tip.querySelector("title").textContent; tip.querySelector("title").remove(); });
    const move = (event) => point(event, event.target.closest?.(".tip")?.dataset.hint || (svg.dataset.axis && nearest(svg, event)));
    svg.addEventListener("pointermove", move);
    svg.addEventListener("pointerdown", move);
    svg.addEventListener("pointerleave", (event) => point(event, ""));
  });

  // A link to something that is folded away opens it; printing opens everything, and folds it again.
  const unfold = () => {
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    const folded = [...all("details", target).slice(0, target.matches(".card") ? 1 : 0)];
    for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") folded.push(at);
    folded.forEach((details) => { details.open = true; });
    target.scrollIntoView();
  };
  addEventListener("hashchange", unfold);
  unfold();
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = all("details:not([open])");
    folded.forEach((details) => { details.open = true; });
  });
  addEventListener("afterprint", () => folded.forEach((details) => { details.open = false; }));

  // Where the reader is, in the contents.
  const links = new Map(all("nav a").map((link) => [link.hash.slice(1), link]));
  const watcher = new IntersectionObserver((entries) => entries.filter((entry) => entry.isIntersecting).forEach((entry) => {
    links.forEach((link) => link.removeAttribute("aria-current"));
    links.get(entry.target.id)?.setAttribute("aria-current", "location");
  }), { rootMargin: "-10% 0px -80% 0px" });
  links.forEach((_, id) => { const part = document.getElementById(id); if (part) watcher.observe(part); });
})();
