"use strict";

/** Line charts over the number of samples, drawn by uPlot. */
const charts = (() => {
  // Told apart by colour-blind readers too, and of a lightness that reads on white and on black.
  const COLOURS = ["#2f7fd6", "#e0762f", "#1f9d78", "#c2559b", "#8b78e0", "#a8912a", "#3fa6bf", "#d04a55"];
  const HEIGHT = 260;

  function css(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  function count(samples) {
    return samples.toLocaleString("en-US");
  }

  function shortCount(samples) {
    if (samples >= 1e6) return `${+(samples / 1e6).toFixed(2)}M`;
    return samples >= 1e4 ? `${+(samples / 1e3).toFixed(1)}k` : count(samples);
  }

  function number(value) {
    if (value === null || value === undefined) return "–";
    if (!Number.isFinite(value)) return String(value).replace("Infinity", "∞");
    const size = Math.abs(value);
    return size !== 0 && (size < 1e-3 || size >= 1e6) ? (+value.toPrecision(4)).toExponential() : String(+value.toPrecision(5));
  }

  /** The points of some names, merged by samples: `{xs, epochs, columns: {name: values}}`, undefined where none is. */
  function tabulate(records, names) {
    const table = { xs: [], epochs: [], columns: Object.fromEntries(names.map((name) => [name, []])) };
    for (const record of records) {
      const present = names.filter((name) => Object.hasOwn(record.values, name));
      if (!present.length) continue;
      let at = table.xs.length - 1;
      if (table.xs[at] !== record.samples) {
        at = table.xs.push(record.samples) - 1;
        table.epochs.push(record.epoch);
        for (const name of names) table.columns[name].push(undefined);
      }
      for (const name of present) table.columns[name][at] = Number(record.values[name]);
    }
    return table;
  }

  /** Exponential moving average that starts without bias; passes over values that are not finite. */
  function smooth(values, weight) {
    let sum = 0;
    let mass = 0;
    return values.map((value) => {
      if (!Number.isFinite(value)) return value;
      sum = weight * sum + (1 - weight) * value;
      mass = weight * mass + (1 - weight);
      return sum / mass;
    });
  }

  /** What can be drawn: a gap (null) where a value is not finite, or not positive on a logarithmic axis. */
  function drawable(values, log) {
    return values.map((value) => (value === undefined || (Number.isFinite(value) && (!log || value > 0)) ? value : null));
  }

  /**
   * One chart.
   *
   * @param host where it goes
   * @param title its heading
   * @param names the series
   * @param options `smoothed`: follows the smoothing slider; `logable`: follows the logarithm; `references`: names
   *   among the series that are drawn as a horizontal line at their last value; `dots`: marks every point
   */
  class Chart {
    constructor(host, title, names, options = {}) {
      this.names = names;
      this.options = options;
      this.references = new Set(options.references);
      this.hidden = new Set();
      this.where = document.createElement("span");
      this.where.className = "chart-where";
      this.plotHost = document.createElement("div");
      this.plotHost.className = "chart-plot";
      this.note = document.createElement("p");
      this.note.className = "chart-note";
      const heading = document.createElement("h3");
      heading.textContent = title;
      const head = document.createElement("div");
      head.className = "chart-head";
      head.append(heading, this.where);
      this.series = document.createElement("div");
      this.series.className = "chart-series";
      this.readouts = names.map((name, index) => this.addToggle(name, index));
      const box = document.createElement("article");
      box.className = "chart";
      box.append(head, this.plotHost, this.series, this.note);
      host.append(box);
      new ResizeObserver(() => this.plot && this.plot.setSize({ width: this.plotHost.clientWidth, height: HEIGHT })).observe(
        this.plotHost,
      );
    }

    colour(index) {
      return this.references.has(this.names[index]) ? css("--muted") : COLOURS[index % COLOURS.length];
    }

    addToggle(name, index) {
      const button = document.createElement("button");
      const line = document.createElement("i");
      const readout = document.createElement("b");
      button.type = "button";
      button.title = "Show or hide";
      button.setAttribute("aria-pressed", "true");
      line.style.borderColor = this.references.has(name) ? "var(--muted)" : this.colour(index);
      line.classList.toggle("dashed", this.references.has(name));
      button.append(line, name, readout);
      button.addEventListener("click", () => {
        const hide = !this.hidden.has(name);
        if (hide) this.hidden.add(name);
        else this.hidden.delete(name);
        button.setAttribute("aria-pressed", String(!hide));
        this.rebuild();
      });
      this.series.append(button);
      return readout;
    }

    /** Takes new points or settings: `{smoothing, log}`. */
    update(records, settings) {
      this.table = tabulate(records, this.names);
      this.apply(settings);
    }

    /** Takes new settings. The axis is built anew when its kind changes. */
    apply(settings) {
      const weight = this.options.smoothed ? settings.smoothing : 0;
      const log = Boolean(this.options.logable && settings.log);
      const columns = this.names.map((name) => this.table.columns[name]);
      this.shown = columns.map((values) => (weight ? smooth(values, weight) : values));
      const faint = columns.map((values) => (weight ? drawable(values, log) : values.map(() => undefined)));
      this.data = [this.table.xs, ...faint, ...this.shown.map((values) => drawable(values, log))];
      this.note.textContent = this.troubles(columns);
      if (this.plot && this.log === log) this.plot.setData(this.data, !this.zoomed());
      else {
        this.log = log;
        this.rebuild();
      }
      this.read(null);
    }

    zoomed() {
      const { min, max } = this.plot.scales.x;
      const xs = this.plot.data[0];
      return xs.length > 1 && (min > xs[0] || max < xs[xs.length - 1]);
    }

    troubles(columns) {
      const found = [];
      columns.forEach((values, index) => {
        const bad = values.flatMap((value, at) => (value === undefined || Number.isFinite(value) ? [] : [at]));
        if (!bad.length) return;
        const times = bad.length === 1 ? "once" : `${bad.length} times`;
        found.push(`${this.names[index]} was not finite ${times}, first at ${count(this.table.xs[bad[0]])} samples`);
      });
      return found.length ? `⚠ ${found.join("; ")}` : "";
    }

    rebuild() {
      if (this.plot) this.plot.destroy();
      const lines = this.names.map((name, index) => ({ name, index, reference: this.references.has(name) }));
      const dots = this.options.dots ? { show: true, size: 5 } : undefined;
      const axis = { stroke: () => css("--muted"), ticks: { show: false }, font: "12px system-ui, sans-serif" };
      const grid = { stroke: () => css("--line"), width: 1 };
      const faint = lines.map((line) => ({
        show: !this.hidden.has(line.name) && !line.reference,
        stroke: `${this.colour(line.index)}40`,
        width: 1,
        points: { show: false },
      }));
      const clear = lines.map((line) => ({
        show: !this.hidden.has(line.name),
        stroke: line.reference ? "transparent" : this.colour(line.index),
        width: 1.75,
        points: line.reference ? { show: false } : dots,
      }));
      this.plot = new uPlot(
        {
          width: this.plotHost.clientWidth || 400,
          height: HEIGHT,
          legend: { show: false },
          cursor: { y: false, sync: { key: "samples" }, points: { size: 6 } },
          scales: { x: { time: false }, y: { distr: this.log ? 3 : 1 } },
          axes: [
            { ...axis, grid: { show: false }, size: 44, space: 70, values: (_, splits) => splits.map((at) => this.tick(at)) },
            {
              ...axis,
              grid,
              size: 58,
              values: (_, splits) => splits.map((at) => (at === null ? "" : number(at))),
            },
          ],
          series: [{}, ...faint, ...clear],
          hooks: { setCursor: [(plot) => this.read(plot.cursor.idx)], draw: [(plot) => this.drawReferences(plot)] },
        },
        this.data,
        this.plotHost,
      );
    }

    /** The epoch that the samples belong to; between records, which may be epochs apart, all epochs are equally long. */
    epochAt(samples) {
      const { xs, epochs } = this.table;
      const next = xs.findIndex((x) => x >= samples);
      if (next < 1 || xs[next] === samples) return epochs[Math.max(next, 0)];
      const part = (samples - xs[next - 1]) / (xs[next] - xs[next - 1]);
      return Math.ceil(epochs[next - 1] + part * (epochs[next] - epochs[next - 1]) - 1e-6);
    }

    tick(samples) {
      const { xs } = this.table;
      const inside = xs.length && samples >= xs[0] && samples <= xs[xs.length - 1];
      return inside ? `${shortCount(samples)}\nep ${this.epochAt(samples)}` : shortCount(samples);
    }

    drawReferences(plot) {
      this.names.forEach((name, index) => {
        if (!this.references.has(name) || this.hidden.has(name)) return;
        const value = this.shown[index].findLast((candidate) => Number.isFinite(candidate));
        if (value === undefined) return;
        const y = Math.round(plot.valToPos(value, "y", true)) + 0.5;
        const { left, width, top, height } = plot.bbox;
        if (y < top || y > top + height) return;
        const { ctx } = plot;
        ctx.save();
        ctx.strokeStyle = css("--muted");
        ctx.lineWidth = 1.5 * devicePixelRatio;
        ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
        ctx.beginPath();
        ctx.moveTo(left, y);
        ctx.lineTo(left + width, y);
        ctx.stroke();
        ctx.restore();
      });
    }

    /** Writes the values under the cursor, or the last ones, beside the names. */
    read(at) {
      const last = this.table.xs.length - 1;
      const place = at === null || at === undefined ? last : at;
      if (place < 0) return;
      this.where.textContent = `${count(this.table.xs[place])} samples · epoch ${this.table.epochs[place]}`;
      this.readouts.forEach((readout, index) => (readout.textContent = number(this.shown[index][place])));
    }

    redraw() {
      if (this.plot) this.plot.redraw(false, true);
    }
  }

  return { Chart, count, number };
})();
