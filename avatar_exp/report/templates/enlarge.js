// One picture, large: what the page holds at once, the file beside the page as soon as it is there.

const dialog = document.getElementById("enlarged");
let enlarged = null;

const enlarge = (run, sheet, number) => {
  enlarged = {run, sheet, number};
  const frame = dialog.querySelector(".frame"), [column, , seed, file] = sheet.cells[number];
  frame.replaceChildren();
  crop(frame, sheet, number);
  const whole = new Image();
  whole.alt = `${gallery.columns[column]}, ${named(sheet.step)}`;
  whole.onload = () => { if (enlarged?.sheet === sheet && enlarged.number === number) frame.replaceChildren(whole); };
  whole.src = run.from + file;
  dialog.querySelector(".caption").textContent =
    `${gallery.columns[column]} \u00b7 seed ${seed} \u00b7 ${names.length > 1 ? `${run.name} \u00b7 ` : ""}${named(sheet.step)}`;
  for (const button of find("[data-move]", dialog)) button.disabled = !beside(Number(button.dataset.move));
  if (!dialog.open) {
    dialog.showModal();
    dialog.querySelector(".close").focus();
  }
};

// The same prompt and seed of this run, a step earlier or later.
const beside = move => {
  const {run, sheet, number} = enlarged, [column, place] = sheet.cells[number];
  const next = run.sheets[run.sheets.indexOf(sheet) + move];
  const there = next?.cells.findIndex(cell => cell[0] === column && cell[1] === place) ?? -1;
  return there < 0 ? null : [run, next, there];
};
const move = by => { const next = beside(by); if (next) enlarge(...next); };

if (dialog) {
  for (const button of find("[data-move]", dialog)) button.addEventListener("click", () => move(Number(button.dataset.move)));
  dialog.querySelector(".close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", event => { if (event.target === dialog) dialog.close(); });  // beside it
  dialog.addEventListener("close", () => { enlarged = null; });
  dialog.addEventListener("keydown", event => {
    const by = {ArrowLeft: -1, ArrowRight: 1}[event.key];
    if (by) { event.preventDefault(); move(by); }
  });
}
