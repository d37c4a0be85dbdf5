// Sorting, following a run through the page, copying.

const find = (selector, within = document) => [...within.querySelectorAll(selector)];
const json = id => JSON.parse(document.getElementById(id).textContent);

// Tables: by the titles' buttons. Numbers as numbers; what is not known stays last either way.
for (const table of find("table.sortable")) {
  const titles = find("thead th", table);
  titles.forEach((title, column) => title.querySelector("button").addEventListener("click", () => {
    const up = title.getAttribute("aria-sort") === "descending" || !title.hasAttribute("aria-sort") && column === 0;
    titles.forEach(one => one.removeAttribute("aria-sort"));
    title.setAttribute("aria-sort", up ? "ascending" : "descending");
    const value = row => row.children[column].dataset.sort;
    const compare = (a, b) => isNaN(a) || isNaN(b) ? a.localeCompare(b, undefined, {numeric: true}) : a - b;
    const rows = find("tbody tr", table).sort((one, other) => {
      const [a, b] = [value(one), value(other)];
      if (a === undefined || b === undefined) return (a === undefined) - (b === undefined);
      return up ? compare(a, b) : compare(b, a);
    });
    table.tBodies[0].append(...rows);
  }));
}

// One run can be followed: its curves, its rows and its name in the legend stand out.
let held = null;
const follow = run => {
  run = run ?? held;
  document.body.classList.toggle("following", run !== null);
  for (const one of find("[data-run].hot")) one.classList.remove("hot");
  if (run === null) return;
  for (const one of find(`[data-run="${run}"]`)) {
    one.classList.add("hot");
    if (one.matches(".series")) one.parentNode.append(one);  // above the others
  }
};
for (const button of find(".legend button")) {
  const run = button.dataset.run;
  button.addEventListener("pointerenter", () => follow(run));
  button.addEventListener("focus", () => follow(run));
  button.addEventListener("pointerleave", () => follow(null));
  button.addEventListener("blur", () => follow(null));
  button.addEventListener("click", () => {
    held = held === run ? null : run;
    for (const one of find(".legend button")) one.setAttribute("aria-pressed", one.dataset.run === held);
    follow(held);
  });
}
for (const row of find(".several tbody tr[data-run]")) {
  row.addEventListener("pointerenter", () => follow(row.dataset.run));
  row.addEventListener("pointerleave", () => follow(null));
}

// A plot under the pointer: the nearest point, its run and its values.
const tip = document.getElementById("tip");
const names = json("gallery").runs.map(run => run.name);
for (const plot of find("svg.plot")) {
  const [x, y] = [plot.dataset.x, plot.dataset.y].map(text => text.split(",").map(Number));
  const [xName, yName] = plot.dataset.names.split(",");
  const value = ([low, high, start, end], place) => low + (high - low) * (place - start) / (end - start);
  let points = null;
  const read = () => find(".series", plot).flatMap(series =>
    series.querySelector(".line").getAttribute("d").slice(1).split("L").map(text => [...text.split(",").map(Number), series.dataset.run]));
  const leave = () => { tip.hidden = true; follow(null); };
  plot.addEventListener("pointerleave", leave);
  plot.addEventListener("pointermove", event => {
    points ??= read();
    const box = plot.getBoundingClientRect(), scale = plot.viewBox.baseVal.width / box.width;
    const [px, py] = [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
    const distance = ([a, b]) => Math.hypot(a - px, b - py);
    const near = points.reduce((best, one) => distance(one) < distance(best) ? one : best);
    if (distance(near) > 40) return leave();
    const [a, b, run] = near, shown = [value(x, a), value(y, b)];
    const at = xName === "step" ? `step ${Math.round(shown[0])}: ${shown[1].toPrecision(3)}`
      : `${xName} ${shown[0].toPrecision(3)}, ${yName} ${shown[1].toPrecision(3)}`;
    tip.textContent = names.length > 1 ? `${names[run]} \u00b7 ${at}` : at;
    tip.hidden = false;
    tip.style.left = `${Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 6)}px`;
    tip.style.top = `${Math.max(event.clientY - tip.offsetHeight - 10, 4)}px`;
    if (names.length > 1) follow(run);
  });
}

// A link to a run opens what is said of it.
const unfold = () => { const aim = document.querySelector(location.hash || "#none"); if (aim?.tagName === "DETAILS") aim.open = true; };
addEventListener("hashchange", unfold);
unfold();

for (const button of find(".copy")) {
  button.addEventListener("click", async () => {
    const text = button.parentNode.querySelector("pre");
    try {
      await navigator.clipboard.writeText(text.textContent);
      button.textContent = "copied";
    } catch {  // not allowed here: select it, for Ctrl-C
      getSelection().selectAllChildren(text);
      button.textContent = "selected";
    }
    setTimeout(() => { button.textContent = "copy"; }, 1500);
  });
}
