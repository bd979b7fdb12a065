"use strict";
for (const section of document.querySelectorAll("section.attribution")) {
  const table = section.querySelector("table.layers");
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const text = section.querySelector("input.by-name");
  const kind = section.querySelector("select.by-class");
  const count = section.querySelector(".count");
  const filter = () => {
    const wanted = text.value.trim().toLowerCase();
    let shown = 0;
    for (const row of rows) {
      const named = row.cells[1].textContent.toLowerCase().includes(wanted);
      row.hidden = !(named && (kind.value === "" || row.dataset.class === kind.value));
      shown += row.hidden ? 0 : 1;
    }
    count.textContent = shown + " of " + rows.length + " layers";
  };
  text.addEventListener("input", filter);
  kind.addEventListener("change", filter);
  filter();

  const heads = Array.from(table.tHead.rows[0].cells);
  const value = (row, column) => row.cells[column].dataset.v;
  heads.forEach((head, column) => {
    const words = head.classList.contains("word");
    head.querySelector("button").addEventListener("click", () => {
      const was = head.getAttribute("aria-sort");
      const down = was === null ? !words && column > 0 : was === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const sign = down ? -1 : 1;
      const order = (a, b) => {
        const [x, y] = [value(a, column), value(b, column)];
        // What a layer does not have comes last, whichever way.
        if (x === "" || y === "") return (x === "") - (y === "");
        return sign * (words ? x.localeCompare(y) : Number(x) - Number(y));
      };
      rows.slice().sort(order).forEach((row) => body.append(row));
    });
  });

  for (const node of section.querySelectorAll("[data-layer]")) {
    node.addEventListener("click", () => {
      text.value = "";
      kind.value = "";
      filter();
      rows.forEach((row) => row.classList.toggle("chosen", row.dataset.place === node.dataset.layer));
      section.querySelector("tr.chosen").scrollIntoView({ block: "center" });
    });
  }
}
const choice = document.getElementById("choice");
if (choice) {
  const show = () => {
    for (const section of document.querySelectorAll("section.attribution")) {
      section.hidden = section.id !== choice.value;
    }
  };
  choice.addEventListener("change", show);
  show();
}
