extension StatusPage {
  /// Two line charts, and what they say of the round under the pointer.
  static let scriptOfCharts = #"""
    const charts = {
      quality: {pointed: null, series: [
        {key: 'accuracy', name: 'accuracy', side: 'left', text: percent, tick: value => +(100 * value).toFixed(3) + ' %'},
        {key: 'loss', name: 'loss', side: 'right', text: short, tick: value => String(+value.toPrecision(6))}]},
      traffic: {pointed: null, series: [
        {key: 'bytes_up', name: 'up', side: 'left', text: bytes, tick: bytes, zero: true, binary: true},
        {key: 'bytes_down', name: 'down', side: 'left', text: bytes, tick: bytes, zero: true, binary: true}]}};

    function draw(tag, attributes, text) {
      const node = document.createElementNS('http://www.w3.org/2000/svg', tag);
      for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
      if (text !== undefined) node.textContent = text;
      return node;
    }

    // Round numbers that hold all values: at most five steps.
    function scale(values, series) {
      let low = series.zero ? 0 : Infinity, high = series.zero ? 4 : -Infinity;
      for (const value of values) { low = Math.min(low, value); high = Math.max(high, value); }
      if (low === high) { low -= 0.05 * Math.abs(low) || 0.5; high += 0.05 * Math.abs(high) || 0.5; }
      const unit = series.binary ? 1024 ** Math.floor(Math.log(high) / Math.log(1024)) : 1;
      const raw = (high - low) / 4 / unit, power = 10 ** Math.floor(Math.log10(raw));
      const step = unit * power * [1, 2, 2.5, 5, 10].find(factor => factor * power >= raw * 0.999);
      const first = Math.floor(low / step + 1e-9), last = Math.ceil(high / step - 1e-9);
      return {low: first * step, high: last * step,
        ticks: Array.from({length: last - first + 1}, (_, index) => (first + index) * step)};
    }

    function drawChart(id, history) {
      const svg = $(id), chart = charts[id], rounds = history.round;
      const width = svg.clientWidth || 560, height = svg.clientHeight || 190;
      const [left, right, top, bottom] = [52, id === 'quality' ? 48 : 12, 8, 22];
      const nodes = [];
      const known = series => history[series.key].filter(value => value !== null);
      const sides = {};
      for (const side of ['left', 'right']) {
        const members = chart.series.filter(series => series.side === side);
        const values = members.flatMap(known);
        if (values.length) sides[side] = {...scale(values, members[0]), members};
      }
      if (!rounds.length) {
        nodes.push(draw('text', {x: width / 2, y: height / 2, 'text-anchor': 'middle'}, 'no round has ended yet'));
        return finish();
      }
      const [from, to] = [rounds[0], rounds[rounds.length - 1]];
      const x = round => from === to ? (left + width - right) / 2
        : left + (width - left - right) * (round - from) / (to - from);
      const y = (value, side) => top + (height - top - bottom) * (side.high - value) / (side.high - side.low);
      for (const [name, side] of Object.entries(sides)) {
        for (const tick of side.ticks) {
          const at = y(tick, side);
          if (name === 'left' || !sides.left) {
            nodes.push(draw('line', {class: 'grid', x1: left, x2: width - right, y1: at, y2: at}));
          }
          nodes.push(draw('text', {
            class: chart.series.length === side.members.length ? '' : side.members[0].name, y: at + 4,
            x: name === 'left' ? left - 8 : width - right + 8, 'text-anchor': name === 'left' ? 'end' : 'start',
          }, side.members[0].tick(tick)));
        }
      }
      const spread = Math.min(to - from, Math.max(1, Math.floor(width / 130)));
      const marks = new Set(Array.from({length: spread + 1}, (_, index) => Math.round(from + (to - from) * index / (spread || 1))));
      for (const round of marks) {
        nodes.push(draw('text', {x: x(round), y: height - 4, 'text-anchor': 'middle'}, count(round)));
      }
      const pointed = chart.pointed === null ? null : rounds.reduce((best, round, index) =>
        Math.abs(x(round) - chart.pointed) < Math.abs(x(rounds[best]) - chart.pointed) ? index : best, 0);
      if (pointed !== null) {
        const at = x(rounds[pointed]);
        nodes.push(draw('line', {class: 'cursor', x1: at, x2: at, y1: top, y2: height - bottom}));
      }
      for (const series of chart.series) {
        const side = sides[series.side];
        if (!side) continue;
        const points = [];
        history[series.key].forEach((value, index) => {
          if (value !== null) points.push([x(rounds[index]), y(value, side)]);
        });
        if (!points.length) continue;
        nodes.push(draw('polyline', {
          class: 'line ' + series.name, points: points.map(point => point.map(part => part.toFixed(1)).join()).join(' ')}));
        const value = pointed === null ? null : history[series.key][pointed];
        const dot = value === null ? points[points.length - 1] : [x(rounds[pointed]), y(value, side)];
        nodes.push(draw('circle', {class: series.name, cx: dot[0], cy: dot[1], r: 3}));
      }
      finish(pointed);

      function finish(pointed = null) {
        svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
        svg.replaceChildren(...nodes);
        const items = pointed === null ? [] : [make('span', '', `round ${count(rounds[pointed])}`)];
        for (const series of chart.series) {
          const values = history[series.key];
          const value = pointed === null ? known(series).pop() : values[pointed];
          const item = make('span');
          item.append(make('i', series.name), series.name + ' ',
            make('b', '', value === undefined || value === null ? '–' : series.text(value)));
          items.push(item);
        }
        $(id + '-legend').replaceChildren(...items);
      }
    }

    let shown = null;
    const drawCharts = () => { if (shown) for (const id of Object.keys(charts)) drawChart(id, shown.history); };
    for (const id of Object.keys(charts)) {
      $(id).addEventListener('pointermove', event => {
        charts[id].pointed = event.clientX - $(id).getBoundingClientRect().left;
        drawCharts();
      });
      $(id).addEventListener('pointerleave', () => { charts[id].pointed = null; drawCharts(); });
    }
    addEventListener('resize', drawCharts);
    """#
}
