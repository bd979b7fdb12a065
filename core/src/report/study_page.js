"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const heads = Array.from(table.tHead.rows[0].cells);
  const value = (row, column) => row.cells[column].dataset.v;
  heads.forEach((head, column) => {
    const words = head.classList.contains("word");
    head.querySelector("button").addEventListener("click", () => {
      const was = head.getAttribute("aria-sort");
      const down = was === null ? !words : was === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const sign = down ? -1 : 1;
      const order = (a, b) => {
        const [x, y] = [value(a, column), value(b, column)];
        // What a network does not have comes last, whichever way.
        if (x === "" || y === "") return (x === "") - (y === "");
        return sign * (words ? x.localeCompare(y) : Number(x) - Number(y));
      };
      rows.slice().sort(order).forEach((row) => body.append(row));
    });
  });
}
