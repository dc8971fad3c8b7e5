"use strict";
// Sorting, filtering, downloads and the comparison of images. The page can be read without any of it.
document.documentElement.classList.add("js");
const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];
const form = document.querySelector(".filters form");
const FIELDS = ["track", "size", "family", "supervision", "rules", "parameters"];
const RANGES = { none: [0, 0], "1k": [1, 1e3], "100k": [1, 1e5], "1M": [1, 1e6], more: [1e6 + 1, Infinity] };

// ---- sorting: only ranked rows move; missing and published ones stay below
function sortBy(th) {
  const row = th.parentNode, body = th.closest("table").tBodies[0], index = [...row.cells].indexOf(th);
  const order = th.getAttribute("aria-sort") === th.dataset.first ? other(th.dataset.first) : th.dataset.first;
  const by = th.dataset.by, isText = th.classList.contains("text");
  const text = (tr) => (by ? tr.dataset[by] ?? "0" : tr.cells[index].textContent);
  const value = (tr) => (isText ? text(tr) : text(tr) === "not reached" ? Infinity : parseFloat(text(tr)));
  const compare = (a, b) => {
    const [x, y] = [value(a), value(b)];
    if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y); // a dash
    const up = isText ? x.localeCompare(y, "en") : x === y ? 0 : x - y;
    return order === "ascending" ? up : -up;
  };
  all("th[aria-sort]", row).forEach((cell) => cell.setAttribute("aria-sort", "none"));
  th.setAttribute("aria-sort", order);
  [...body.rows].sort(compare).forEach((tr) => body.append(tr));
}
const other = (order) => (order === "ascending" ? "descending" : "ascending");
all("th[aria-sort] button").forEach((button) => button.addEventListener("click", () => sortBy(button.parentNode)));

// ---- filters, kept in the address behind the # so that they work from a file, too
const isView = (hash) => hash.includes("=");
function read() {
  const chosen = new URLSearchParams(isView(location.hash) ? location.hash.slice(1) : "");
  FIELDS.forEach((name) => {
    const select = form.elements[name], wanted = chosen.get(name) ?? "";
    select.value = [...select.options].some((option) => option.value === wanted) ? wanted : "";
  });
}
function matches(tr, chosen) {
  const [low, high] = RANGES[chosen.parameters] ?? [0, Infinity];
  const count = Number(tr.dataset.parameters ?? 0);
  const named = ["family", "supervision", "rules"].every((name) => !chosen[name] || tr.dataset[name] === chosen[name]);
  return named && count >= low && count <= high;
}
function apply() {
  const chosen = Object.fromEntries(FIELDS.map((name) => [name, form.elements[name].value]));
  const ofRows = ["family", "supervision", "rules", "parameters"].some((name) => chosen[name]);
  all("section.track").forEach((section) => { section.hidden = Boolean(chosen.track) && section.id !== chosen.track; });
  all("[data-size]").forEach((part) => { part.hidden = Boolean(chosen.size) && part.dataset.size !== chosen.size; });
  all("tr[data-row]").forEach((tr) => { tr.hidden = !matches(tr, chosen); });
  all("tbody.published, tbody.missing").forEach((body) => { body.hidden = ofRows; });
  form.querySelector("output").textContent = `${visible().length} rows`;
  return chosen;
}
function remember(chosen) {
  const kept = new URLSearchParams(Object.entries(chosen).filter(([, value]) => value));
  history.replaceState(null, "", `#${kept}`);
}
function jump() { // a link to a part of the page: shown, whatever the filters hide, which stay in the address
  const target = document.getElementById(location.hash.slice(1));
  if (!target) return;
  if (target.closest("[hidden]")) ["track", "size"].forEach((name) => { form.elements[name].value = ""; });
  const chosen = apply();
  if (Object.values(chosen).some(Boolean)) remember(chosen);
  target.scrollIntoView();
}
const isShown = (tr) => !tr.closest("[hidden]");
const visible = () => all("tr[data-row]").filter(isShown);
if (form) {
  form.addEventListener("change", () => remember(apply()));
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(() => remember(apply())));
  window.addEventListener("hashchange", () => (isView(location.hash) ? (read(), apply()) : jump()));
  read();
  apply();
}

// ---- downloads of this view
const ROW = ["track", "board", "size", "method", "value", "low", "high", "rank", "rankLow", "rankHigh", "letters", "family",
  "supervision", "rules", "settings", "parameters", "seeds", "records"];
const ZERO = { settings: "0", parameters: "0", seeds: "0" };
const records = (tr) => all(".links a", tr).map((link) => link.hash.slice(1)).join(" ");
const header = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
function save(text, name, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
const quote = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
function download(kind) {
  const places = (tr) => ({ ...ZERO, ...tr.closest("table").dataset, ...tr.closest(".board[data-size]").dataset,
    ...tr.dataset, records: records(tr) });
  const rows = visible().map(places).map((values) => ROW.map((name) => values[name] ?? ""));
  if (kind === "csv") return save([ROW.map(header), ...rows].map((row) => row.map(quote).join(",") + "\n").join(""), "view.csv", "text/csv");
  const plain = rows.map((row) => Object.fromEntries(row.map((value, index) => [header(ROW[index]), value])));
  save(JSON.stringify(plain, null, 1) + "\n", "view.json", "application/json");
}
all("button[data-download]").forEach((button) => button.addEventListener("click", () => download(button.dataset.download)));

// ---- comparison of images: slider, flip, kinds; keys: arrows move the edge, F flips, 1 2 3 choose the kind
all(".compare").forEach((part) => {
  const rows = all(".strip figure", part).map(({ firstChild: image, lastChild: caption }) => (
    { method: image.alt, psnr: caption.lastChild.textContent, of: (kind) => image.getAttribute("src").replace("-image.png", `-${kind}.png`) }));
  const bars = JSON.parse(part.dataset.bars);
  const [left, right] = all("select", part), slider = part.querySelector("input[type=range]"), stage = part.querySelector(".stage");
  const [under, over] = all("img", stage), [tagA, tagB] = all(".tag", stage), bar = stage.querySelector(".scalebar");
  const kinds = all(".kinds button", part), flip = part.querySelector(".flip");
  let kind = "image";
  [left, right].forEach((select) => {
    select.append(...rows.map((row, index) => new Option(row.method, index)));
    select.value = select.dataset.chosen;
  });
  const caption = (row) => (row.psnr ? `${row.method}, ${row.psnr}` : row.method);
  const show = () => {
    const [a, b] = [rows[left.value], rows[right.value]];
    under.src = a.of(kind);
    over.src = b.of(kind);
    [under.alt, over.alt] = [`${kind} of ${a.method}`, `${kind} of ${b.method}`];
    [tagA.textContent, tagB.textContent] = [caption(a), caption(b)];
    const scale = bars[kind];
    bar.style.width = `${scale.part}%`;
    bar.textContent = scale.label;
    kinds.forEach((button) => button.setAttribute("aria-pressed", button.dataset.kind === kind));
  };
  const cut = () => {
    stage.style.setProperty("--cut", `${slider.value}%`);
    tagA.hidden = slider.value < 4;
    tagB.hidden = slider.value > 96;
  };
  const turn = () => { slider.value = slider.value < 50 ? 100 : 0; cut(); };
  const drag = (event) => {
    const box = stage.getBoundingClientRect();
    slider.value = Math.round((100 * (event.clientX - box.left)) / box.width);
    cut();
  };
  stage.addEventListener("pointerdown", (event) => { stage.setPointerCapture(event.pointerId); drag(event); });
  stage.addEventListener("pointermove", (event) => { if (event.buttons) drag(event); });
  [left, right].forEach((select) => select.addEventListener("change", show));
  kinds.forEach((button) => button.addEventListener("click", () => { kind = button.dataset.kind; show(); }));
  slider.addEventListener("input", cut);
  flip.addEventListener("click", turn);
  part.addEventListener("keydown", (event) => {
    if (event.target.tagName === "SELECT" || event.ctrlKey || event.metaKey || event.altKey) return;
    const chosen = kinds[Number(event.key) - 1];
    if (event.key === "f" || event.key === "F") turn();
    else if (chosen) chosen.click();
    else return;
    event.preventDefault();
  });
  show();
  cut();
});

// ---- print everything, also what is folded
let folded = [];
window.addEventListener("beforeprint", () => { folded = all("details:not([open])"); folded.forEach((part) => { part.open = true; }); });
window.addEventListener("afterprint", () => { folded.forEach((part) => { part.open = false; }); });
