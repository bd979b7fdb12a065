for (const section of document.querySelectorAll("section.attribution")) {
  const table = section.querySelector("table.layers");
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const text = section.querySelector("input.by-name");
  const kind = section.querySelector("select.by-class");
  const fold = section.querySelector("input.by-module");
  const count = section.querySelector(".count");
  const heads = Array.from(table.tHead.rows[0].cells);
  const column = (key) => heads.findIndex((head) => head.dataset.key === key);
  const [named, share] = [column("layer"), column("share")];
  const opened = new Set();

  // Layers of a module below a row of its own, which stands where its first layer stands.
  const modules = () => {
    body.querySelectorAll("tr.module").forEach((row) => row.remove());
    if (!fold.checked) return;
    const groups = new Map();
    for (const row of body.rows) {
      const name = row.dataset.module;
      groups.set(name, (groups.get(name) || []).concat([row]));
    }
    for (const [name, members] of groups) {
      const shown = members.filter((row) => !row.hidden);
      if (members.length < 2 || shown.length === 0) continue;
      const head = document.createElement("tr");
      head.className = "module";
      const total = shown.reduce((sum, row) => sum + Number(row.cells[share].dataset.v || 0), 0);
      heads.forEach((_, at) => {
        const cell = head.insertCell();
        cell.dataset.v = at === share ? total : "";
        if (at === named) {
          cell.className = "word name";
          const button = document.createElement("button");
          button.type = "button";
          button.textContent = (opened.has(name) ? "\u25BE " : "\u25B8 ") + (name || "no module") + ", " +
            shown.length + " layers";
          button.addEventListener("click", () => {
            if (!opened.delete(name)) opened.add(name);
            filter();
          });
          cell.append(button);
        } else if (at === share) {
          cell.textContent = (100 * total).toFixed(1) + "\u00A0%";
        }
      });
      shown[0].before(head);
      let last = head;
      for (const row of shown) {
        last.after(row);
        last = row;
        row.hidden = !opened.has(name);
      }
    }
  };
  const filter = () => {
    const wanted = text.value.trim().toLowerCase();
    let shown = 0;
    for (const row of rows) {
      const fits = row.cells[named].textContent.toLowerCase().includes(wanted);
      row.hidden = !(fits && (kind.value === "" || row.dataset.class === kind.value));
      shown += row.hidden ? 0 : 1;
    }
    count.textContent = shown + " of " + rows.length + " layers";
    modules();
  };
  text.addEventListener("input", filter);
  kind.addEventListener("change", filter);
  fold.addEventListener("change", filter);
  table.addEventListener("sorted", () => {
    body.querySelectorAll("tr.module").forEach((row) => row.remove());
    filter();
  });
  filter();

  for (const node of section.querySelectorAll("[data-layer]")) {
    node.addEventListener("click", () => {
      text.value = "";
      kind.value = "";
      fold.checked = false;
      filter();
      const wanted = node.dataset.layer.split(" ");
      rows.forEach((row) => row.classList.toggle("chosen", wanted.includes(row.dataset.place)));
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
