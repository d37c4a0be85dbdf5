// The paired differences of the two runs that are chosen; each pair is stored once, as lower minus higher number.

const pairs = json("pairs-data");
const table = document.querySelector("#pair tbody");

if (table) {
  const [first, second] = ["pair-first", "pair-second"].map(id => document.getElementById(id));
  const known = Object.keys(pairs.pairs).map(pair => pair.split(",").map(Number));
  const partners = run => known.filter(pair => pair.includes(run)).map(([a, b]) => a === run ? b : a);
  const fill = (select, runs, chosen) => {
    select.replaceChildren(...runs.map(run => new Option(pairs.names[run], run, false, run === chosen)));
  };
  const signed = value => (value > 0 ? "+" : value < 0 ? "\u2212" : "") + Math.abs(value).toFixed(3);
  const drawn = (one, most) => {  // zero, interval and mean on one line
    const at = value => `${50 + 50 * value / most}%`, span = document.createElement("span");
    span.className = "span";
    const part = (tag, style) => Object.assign(span.appendChild(document.createElement(tag)).style, style);
    part("i", {left: "50%"});
    if (one.low !== null) part("b", {left: at(one.low), right: `${50 - 50 * one.high / most}%`});
    part("u", {left: at(one.mean)});
    return span;
  };
  const show = () => {
    const [a, b] = [first, second].map(select => Number(select.value)), sign = a < b ? 1 : -1;
    const found = (pairs.pairs[a < b ? `${a},${b}` : `${b},${a}`] ?? []).map(one => sign > 0 ? one : {
      ...one, mean: -one.mean, low: one.high === null ? null : -one.high, high: one.low === null ? null : -one.low});
    const most = Math.max(1e-9, ...found.flatMap(one => [one.mean, one.low ?? 0, one.high ?? 0].map(Math.abs)));
    table.replaceChildren();
    for (const one of found) {
      const row = table.insertRow(), title = row.appendChild(document.createElement("th"));
      title.scope = "row";
      title.textContent = one.score.replace("score/", "").replace("_", " ");
      const interval = one.low === null ? "not known with one prompt" : `${signed(one.low)} \u2026 ${signed(one.high)}`;
      for (const text of [signed(one.mean), interval, drawn(one, most), one.pictures, one.prompts]) row.insertCell().append(text);
    }
    if (!found.length) table.insertRow().insertCell().append("no scored picture of the same prompt and seed in both");
  };
  const choose = () => { fill(second, partners(Number(first.value)), Number(second.value)); show(); };
  fill(first, [...new Set(known.flat())].sort((a, b) => a - b), pairs.first);
  fill(second, partners(pairs.first), pairs.second);
  first.addEventListener("change", choose);
  second.addEventListener("change", show);
  show();
}
