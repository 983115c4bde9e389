"use strict";

(() => {
  const FOLLOW_MS = 30_000;
  const LATE_S = 15 * 60; // without a record for so long, a training that did not say goodbye has likely stopped
  const PACE = /^(lr|lr_.+|samples_per_s)$/;
  const byId = (id) => document.getElementById(id);
  const settings = { smoothing: 0.9, log: false };
  const drawn = new Map(); // chart key -> {chart, kind}
  const empty = () => ({ losses: [], validation: [], images: [], start: [], finish: [] });
  let records = empty();
  let frame = null;
  let moment = -1; // which images are shown
  let heard = false;

  document.documentElement.classList.add("scripted");

  // ---- reading -------------------------------------------------------------------------------------------------

  /** Loads the file of records in a frame, which posts its text: pages opened from disk may not fetch. */
  function load() {
    if (frame) frame.remove();
    frame = document.createElement("iframe");
    frame.hidden = true;
    frame.title = "Records";
    frame.setAttribute("sandbox", "allow-scripts");
    frame.src = `${byId("training").dataset.records}?${Date.now()}`;
    document.body.append(frame);
    setTimeout(() => heard || complain("The records could not be read: records.html should lie beside this page."), 5000);
  }

  function complain(text) {
    byId("problem").textContent = text;
    byId("problem").hidden = !text;
  }

  /** Lines that are no whole record (a crash in the middle of one) are passed over. */
  function parse(text) {
    const parsed = empty();
    for (const line of text.split("\n")) {
      if (!line) continue;
      try {
        const record = JSON.parse(line);
        if (record && Object.hasOwn(parsed, record.kind)) parsed[record.kind].push(record);
      } catch {
        continue;
      }
    }
    return parsed;
  }

  addEventListener("message", (event) => {
    if (!frame || event.source !== frame.contentWindow || typeof event.data !== "string") return;
    heard = true;
    complain("");
    records = parse(event.data);
    showStatus();
    showCharts();
    showImages();
  });

  // ---- status --------------------------------------------------------------------------------------------------

  function ago(seconds) {
    if (seconds < 90) return "just now";
    if (seconds < 5400) return `${Math.round(seconds / 60)} minutes ago`;
    return seconds < 129_600 ? `${Math.round(seconds / 3600)} hours ago` : `${Math.round(seconds / 86_400)} days ago`;
  }

  function showStatus() {
    const last = Object.values(records)
      .flatMap((some) => some.slice(-1))
      .reduce((newest, record) => (!newest || record.time >= newest.time ? record : newest), null);
    if (!last) return;
    const age = Date.now() / 1000 - last.time;
    const end = records.finish.at(-1);
    const running = !end && age < LATE_S;
    byId("status").textContent = end ? end.status : running ? "running" : "no news";
    byId("status").classList.toggle("running", running);
    const newest = [records.losses, records.validation, records.images].flatMap((some) => some.slice(-1));
    const point = newest.sort((one, other) => one.samples - other.samples).at(-1);
    const place = point ? `${charts.count(point.samples)} samples, epoch ${point.epoch}` : "nothing yet";
    byId("progress").textContent = `${place} · last record ${ago(age)} (${new Date(last.time * 1000).toLocaleString()})`;
  }

  // ---- charts --------------------------------------------------------------------------------------------------

  const namesOf = (some) => [...new Set(some.flatMap((record) => Object.keys(record.values)))];

  /** Losses in groups: what shares the word before the first underscore; names that stand alone share one chart. */
  function lossGroups(names) {
    const groups = new Map();
    for (const name of names) {
      const group = name.split(/[_/]/)[0];
      groups.set(group, [...(groups.get(group) || []), name]);
    }
    const alone = [...groups].filter(([, members]) => members.length === 1).map(([group]) => group);
    if (alone.length > 1 || groups.size === 1) {
      const together = alone.flatMap((group) => groups.get(group));
      for (const group of alone) groups.delete(group);
      if (together.length) groups.set("Losses", together);
    }
    return groups;
  }

  function plan() {
    const lossNames = namesOf(records.losses);
    const losses = [...lossGroups(lossNames.filter((name) => !PACE.test(name)))].map(([title, names]) => ({
      host: "losses",
      kind: "losses",
      title,
      names,
      options: { smoothed: true, logable: true },
    }));
    const rates = lossNames.filter((name) => /^lr/.test(name) && PACE.test(name));
    const pace = [
      ["Learning rate", rates],
      ["Samples per second", lossNames.filter((name) => name === "samples_per_s")],
    ].map(([title, names]) => ({ host: "pace", kind: "losses", title, names, options: {} }));
    const validationNames = namesOf(records.validation);
    const isReference = (name) => name.endsWith("_average") && validationNames.includes(name.slice(0, -8));
    const validation = validationNames
      .filter((name) => !isReference(name))
      .map((name) => {
        const references = validationNames.filter((other) => other === `${name}_average`);
        const options = { references, dots: true };
        return { host: "validation", kind: "validation", title: name, names: [name, ...references], options };
      });
    return [...losses, ...validation, ...pace].filter((chart) => chart.names.length);
  }

  function showCharts() {
    const wanted = plan().map((chart) => ({ ...chart, key: JSON.stringify([chart.host, chart.title, chart.names]) }));
    const keys = wanted.map((chart) => chart.key);
    if (keys.join() !== [...drawn.keys()].join()) {
      drawn.clear();
      for (const host of ["losses", "validation", "pace"]) {
        byId(host).replaceChildren();
        byId(host).closest("section").hidden = !wanted.some((chart) => chart.host === host);
      }
      for (const { key, host, kind, title, names, options } of wanted) {
        drawn.set(key, { chart: new charts.Chart(byId(host), title, names, options), kind });
      }
    }
    for (const { chart, kind } of drawn.values()) chart.update(records[kind], settings);
  }

  function applySettings() {
    settings.smoothing = Number(byId("smoothing").value);
    settings.log = byId("log").checked;
    byId("smoothing-value").textContent = settings.smoothing.toFixed(2);
    for (const { chart } of drawn.values()) chart.apply(settings);
  }

  // ---- images ------------------------------------------------------------------------------------------------

  const momentName = (record) => `${charts.count(record.samples)} samples · epoch ${record.epoch}`;

  function showImages() {
    const last = records.images.length - 1;
    const wasNewest = moment < 0 || moment >= Number(byId("moment").max);
    byId("images").hidden = last < 0;
    if (last < 0) return;
    byId("moment").max = String(last);
    showMoment(wasNewest ? last : moment);
  }

  /** Only the images of one moment are in the page, so that a long training loads no more than a short one. */
  function showMoment(index) {
    const last = records.images.length - 1;
    moment = Math.max(0, Math.min(last, index));
    const record = records.images[moment];
    byId("moment").value = String(moment);
    byId("moment-text").textContent = `${momentName(record)} (${moment + 1} of ${last + 1})`;
    byId("older").disabled = moment === 0;
    byId("newer").disabled = moment === last;
    const figures = record.images.map(([label, src]) => {
      const figure = document.createElement("figure");
      const link = Object.assign(document.createElement("a"), { className: "shot", href: src });
      const image = Object.assign(document.createElement("img"), { alt: label, src });
      const caption = Object.assign(document.createElement("figcaption"), { textContent: label });
      image.addEventListener("load", () => {
        byId("shots").style.setProperty("--shape", `${image.naturalWidth} / ${image.naturalHeight}`);
      });
      link.dataset.label = label;
      link.append(image);
      figure.append(link, caption);
      return figure;
    });
    byId("shots").replaceChildren(...figures);
  }

  function openShot(event) {
    const shot = event.target.closest(".shot");
    if (!shot || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const samples = records.images.map((record) => ({
      name: momentName(record),
      images: record.images.map(([label, src]) => ({ label, src })),
    }));
    viewer.open(samples, moment, shot.dataset.label);
  }

  // ---- controls ------------------------------------------------------------------------------------------------

  byId("smoothing").addEventListener("input", applySettings);
  byId("log").addEventListener("change", applySettings);
  byId("moment").addEventListener("input", () => showMoment(Number(byId("moment").value)));
  byId("older").addEventListener("click", () => showMoment(moment - 1));
  byId("newer").addEventListener("click", () => showMoment(moment + 1));
  byId("shots").addEventListener("click", openShot);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const { chart } of drawn.values()) chart.redraw();
  });
  setInterval(() => byId("follow").checked && !document.hidden && load(), FOLLOW_MS);
  applySettings();
  load();
})();
