// The sample grids: one row a run at the slider's step, or one row a step. Rows are filled when they come into view.

const gallery = json("gallery");
const grids = document.getElementById("grids");

// A sheet's address; made once, since decoding 300 of them at the start would take seconds.
const addresses = new Map();
const address = id => {
  if (!addresses.has(id)) {
    const bytes = Uint8Array.from(atob(document.getElementById(`sheet-${id}`).textContent), one => one.charCodeAt(0));
    addresses.set(id, URL.createObjectURL(new Blob([bytes], {type: "image/jpeg"})));
  }
  return addresses.get(id);
};
const crop = (element, sheet, place) => {
  const across = gallery.across, down = Math.ceil(sheet.cells.length / across);
  const part = (n, of) => of > 1 ? 100 * n / (of - 1) : 0;
  element.style.backgroundImage = `url("${address(sheet.id)}")`;
  element.style.backgroundSize = `${across * 100}% ${down * 100}%`;
  element.style.backgroundPosition = `${part(place % across, across)}% ${part(Math.floor(place / across), down)}%`;
};
const named = step => step === 0 ? "base" : `step ${step}`;
const sheetAt = (run, step) => run.sheets.findLast(sheet => sheet.step <= step);

if (grids) {
  const slider = document.getElementById("step"), every = document.getElementById("every");
  const most = Math.max(...gallery.runs.flatMap(run => run.sheets.flatMap(sheet => sheet.cells.map(cell => cell[1] + 1))));
  let rows = new Map();

  const make = (run, step) => {
    const element = document.createElement("tr"), title = document.createElement("th");
    title.scope = "row";
    title.append(document.createElement("b"), document.createElement("span"));
    element.append(title);
    if (names.length > 1) {
      element.dataset.run = gallery.runs.indexOf(run);
      title.prepend(find(`.legend [data-run="${element.dataset.run}"] svg, #table [data-run="${element.dataset.run}"] svg`)[0]?.cloneNode(true) ?? "");
    }
    const row = {element, run, step, pictures: new Map(), seen: false};
    for (const column of gallery.columns.keys()) {
      const cell = element.insertCell().appendChild(document.createElement("div"));
      cell.className = "cell";
      for (let place = 0; place < most; place++) {
        const button = cell.appendChild(document.createElement("button"));
        button.type = "button";
        button.className = "pic";
        row.pictures.set(`${column},${place}`, button);
      }
    }
    return row;
  };
  const say = row => {
    row.sheet = sheetAt(row.run, row.step ?? gallery.steps[slider.value]);
    const [name, told] = row.element.querySelectorAll("th b, th span"), at = row.sheet ? named(row.sheet.step) : "no pictures yet";
    name.dataset.word = row.run.word;
    name.textContent = every.checked && names.length === 1 ? at : row.run.name;
    told.textContent = [every.checked && names.length === 1 ? "" : at, row.sheet?.told].filter(Boolean).join(" \u00b7 ");
    row.element.dataset.step = row.sheet?.step ?? "";
    row.element.classList.toggle("star", row.sheet !== undefined && row.sheet.step === row.run.best);
    if (row.seen) paint(row);
  };
  const paint = row => {
    if (row.painted === row.sheet) return;
    row.painted = row.sheet;
    for (const button of row.pictures.values()) {
      button.disabled = true;
      button.style.backgroundImage = "";
    }
    row.sheet?.cells.forEach(([column, place, seed], number) => {
      const button = row.pictures.get(`${column},${place}`);
      button.disabled = false;
      button.setAttribute("aria-label", `${gallery.columns[column]}, seed ${seed}, ${row.run.name}, ${named(row.sheet.step)}`);
      button.onclick = () => enlarge(row.run, row.sheet, number);
      crop(button, row.sheet, number);
    });
  };
  const watch = new IntersectionObserver(changes => {
    for (const change of changes) {
      const row = rows.get(change.target);
      if (row && (row.seen = change.isIntersecting)) paint(row);
    }
  }, {root: grids, rootMargin: "300px"});
  const show = () => {
    document.getElementById("step-shown").textContent = gallery.steps[slider.value] || "base";
    slider.setAttribute("aria-valuetext", named(gallery.steps[slider.value]));
    slider.parentNode.hidden = every.checked;
    rows.forEach(say);
  };
  const lay = () => {
    watch.disconnect();
    const made = gallery.runs.flatMap(run => every.checked ? run.sheets.map(sheet => make(run, sheet.step)) : [make(run, null)]);
    rows = new Map(made.map(row => [row.element, row]));
    grids.querySelector("tbody").replaceChildren(...rows.keys());
    show();
    for (const element of rows.keys()) watch.observe(element);
  };
  slider.addEventListener("input", show);
  every.addEventListener("change", lay);
  const size = document.getElementById("size");
  size.addEventListener("change", () => grids.style.setProperty("--pic", `${size.value}px`));
  grids.addEventListener("keydown", event => {  // the slider's keys work among the pictures too
    const move = {ArrowLeft: -1, ArrowRight: 1}[event.key];
    if (!move || every.checked) return;
    event.preventDefault();
    slider.value = Number(slider.value) + move;
    show();
  });
  lay();
}
