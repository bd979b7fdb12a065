"use strict";
// Any table of class `sortable` sorts by the column whose heading is pressed.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const heads = Array.from(table.tHead.rows[0].cells);
  heads.forEach((head, column) => {
    const words = head.classList.contains("word");
    head.querySelector("button").addEventListener("click", () => {
      const was = head.getAttribute("aria-sort");
      const down = was === null ? !words : was === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const sign = down ? -1 : 1;
      const order = (a, b) => {
        const [x, y] = [a.cells[column].dataset.v, b.cells[column].dataset.v];
        // What a row does not have comes last, whichever way.
        if (x === "" || y === "") return (x === "") - (y === "");
        return sign * (words ? x.localeCompare(y) : Number(x) - Number(y));
      };
      Array.from(body.rows).sort(order).forEach((row) => body.append(row));
      table.dispatchEvent(new Event("sorted"));
    });
  });
}
