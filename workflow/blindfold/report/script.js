"use strict";
const valueOf = (cell) => cell.dataset.v ?? cell.textContent;
const order = (a, b) => {
  const [x, y] = [Number.parseFloat(a), Number.parseFloat(b)];
  const [noX, noY] = [a === "" || a === "–", b === "" || b === "–"];
  if (noX || noY) return noX - noY;
  return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b) : x - y;
};
for (const section of document.querySelectorAll("section")) {
  const body = section.querySelector("tbody");
  if (!body) continue;
  section.querySelectorAll("th button").forEach((button, column) => {
    button.addEventListener("click", () => {
      const head = button.parentElement;
      const up = head.getAttribute("aria-sort") !== "ascending";
      section.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const rows = [...body.rows].map((row) => [valueOf(row.cells[column]), row]);
      const gone = (value) => value === "" || value === "–";
      rows.sort(([a], [b]) => (gone(a) || gone(b) || up ? order(a, b) : order(b, a)));
      body.append(...rows.map(([, row]) => row));
    });
  });
  const filters = [...section.querySelectorAll("select")];
  const apply = () => {
    for (const row of body.rows) {
      row.hidden = filters.some((f) => f.value && row.dataset[f.dataset.filter] !== f.value);
    }
  };
  filters.forEach((filter) => filter.addEventListener("change", apply));
  apply();
}
