"use strict";

(() => {
  document.documentElement.classList.add("scripted");
  const table = document.getElementById("values");
  const cardHost = document.getElementById("cards");
  const filter = document.getElementById("filter");
  const count = document.getElementById("count");
  const thumb = document.getElementById("thumb");
  const cards = cardHost ? [...cardHost.children] : [];
  const rows = table ? [...table.tBodies[0].rows] : [];
  const total = Math.max(cards.length, rows.length);

  /** Cards follow the order of the table: sort by a metric, and the worst samples' images come together. */
  function orderCards() {
    if (!cardHost) return;
    const order = [...table.tBodies[0].rows].map((row) => cards[Number(row.dataset.index)]);
    cardHost.append(...order);
  }

  function applyFilter() {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let left = 0;
    for (let index = 0; index < total; index++) {
      const name = cards[index] ? cards[index].dataset.name : rows[index].cells[0].textContent;
      const wanted = words.every((word) => name.toLowerCase().includes(word));
      if (cards[index]) cards[index].hidden = !wanted;
      if (rows[index]) rows[index].hidden = !wanted;
      left += wanted;
    }
    count.textContent = `${left} of ${total}`;
  }

  function sampleOf(card) {
    const values = [...card.querySelectorAll(".card-values li")].map((item) =>
      [...item.children].map((part) => part.textContent).join(" "),
    );
    const size = card.querySelector(".size");
    return {
      name: card.dataset.name,
      detail: [size && size.textContent, ...values.slice(0, 6)].filter(Boolean).join("  ·  "),
      images: [...card.querySelectorAll(".shot")].map((shot) => ({ label: shot.dataset.label, src: shot.href })),
    };
  }

  function openCard(event) {
    const shot = event.target.closest(".shot");
    if (!shot || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const seen = [...cardHost.children].filter((card) => !card.hidden && card.querySelector(".shot"));
    viewer.open(seen.map(sampleOf), seen.indexOf(shot.closest(".card")), shot.dataset.label);
  }

  if (table) table.addEventListener("sort-end", orderCards);
  if (cardHost) cardHost.addEventListener("click", openCard);
  filter.addEventListener("input", applyFilter);
  thumb.addEventListener("input", () => document.documentElement.style.setProperty("--thumb", `${thumb.value}px`));
  if (filter.value) applyFilter(); // a browser may bring back what was typed before a reload
})();
