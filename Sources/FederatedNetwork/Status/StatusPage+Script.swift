extension StatusPage {
  /// What fills the page in. Whatever the server sends becomes text, never markup.
  static let script = script(parts: [scriptOfFigures, scriptOfCharts, scriptOfClients, scriptOfPolling])

  private static func script(parts: [String]) -> String { (["'use strict';"] + parts).joined(separator: "\n") }

  /// Numbers as text, the header and the cards.
  private static let scriptOfFigures = #"""
    const $ = id => document.getElementById(id);

    function put(node, text) { if (node.textContent !== text) node.textContent = text; }

    function make(tag, className, text) {
      const node = document.createElement(tag);
      if (className) node.className = className;
      if (text !== undefined) node.textContent = text;
      return node;
    }

    const count = number => number.toLocaleString('en');
    const plural = (number, noun) => `${count(number)} ${noun}${number === 1 ? '' : 's'}`;
    const percent = number => (100 * number).toFixed(1) + ' %';
    const short = number => number === 0 ? '0' : Math.abs(number) < 0.01 || Math.abs(number) >= 1e4
      ? number.toExponential(1) : String(+number.toPrecision(3));

    function bytes(number) {
      const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
      let unit = 0;
      while (number >= 1023.5 && unit < units.length - 1) { number /= 1024; unit += 1; }
      return (unit > 0 && number < 9.95 ? number.toFixed(1) : number.toFixed(0)) + ' ' + units[unit];
    }

    function duration(seconds) {
      const whole = Math.floor(seconds);
      if (whole < 60) return `${whole} s`;
      if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
      if (whole < 172800) return `${Math.floor(whole / 3600)} h ${Math.floor(whole / 60) % 60} min`;
      return `${Math.floor(whole / 86400)} d ${Math.floor(whole / 3600) % 24} h`;
    }

    function showHeader(status) {
      document.title = `${status.name} · ${status.round}/${status.rounds} · nndist`;
      put($('name'), status.name);
      put($('state'), status.state);
      const kinds = {'in round': 'active', evaluating: 'active', finished: 'good', stopped: 'bad'};
      $('state').className = 'pill ' + (kinds[status.state] || '');
      const since = new Date(1000 * status.started).toLocaleString('en-GB', {dateStyle: 'medium', timeStyle: 'short'});
      put($('about'), `${status.strategy} · since ${since} · ${duration(status.seconds)}`);
      put($('round'), `round ${count(status.round)} of ${count(status.rounds)}`);
      const cohort = status.cohort;
      const left = cohort && cohort.deadline_seconds !== null
        ? `, at most ${duration(Math.ceil(cohort.deadline_seconds))} more` : '';
      put($('cohort'), cohort
        ? `· ${count(cohort.arrived)} of ${count(cohort.needed)} updates of round ${count(status.round + 1)}${left}` : '');
      const share = cohort && cohort.needed ? Math.min(1, cohort.arrived / cohort.needed) : 0;
      const done = status.rounds ? Math.min(1, (status.round + share) / status.rounds) : 0;
      $('bar').style.width = 100 * done + '%';
      $('track').setAttribute('aria-valuemax', status.rounds);
      $('track').setAttribute('aria-valuenow', status.round);
    }

    function showCards(status) {
      const lost = ['rejected', 'lost'].filter(key => status[key]).map(key => `${count(status[key])} ${key}`);
      if (status.skipped) lost.push(plural(status.skipped, 'round') + ' skipped');
      const wire = key => status[key] === undefined ? '' : `${bytes(status[key])} on the wire`;
      const measured = status.history.accuracy.filter(value => value !== null);
      const cards = [
        ['Clients online', count(status.online), `of ${count(status.clients_total)}`],
        ['Updates', count(status.updates), lost.join(', ') || 'none refused or lost'],
        ['Bytes up', bytes(status.bytes_up), wire('wire_bytes_in')],
        ['Bytes down', bytes(status.bytes_down), wire('wire_bytes_out')],
        ['Accuracy', status.accuracy === null ? '–' : percent(status.accuracy),
          measured.length ? `best ${percent(measured.reduce((a, b) => Math.max(a, b)))}` : 'not measured yet'],
        ['Loss', status.loss === null ? '–' : short(status.loss), '']];
      if (status.privacy) cards.push(['ε spent', short(status.privacy.epsilon), `at δ = ${short(status.privacy.delta)}`]);
      const box = $('cards');
      while (box.children.length > cards.length) box.lastChild.remove();
      cards.forEach((texts, index) => {
        if (!box.children[index]) {
          box.append(make('div', 'card'));
          for (const part of ['what', 'value', 'more']) box.children[index].append(make('div', part));
        }
        texts.forEach((text, part) => put(box.children[index].children[part], text));
      });
    }

    function showNotes(status) {
      const history = status.history, notes = [];
      if (status.digest) notes.push(`digest ${status.digest}`);
      if (history.stride > 1) {
        notes.push(`the charts show one of every ${count(history.stride)} of ${plural(history.recorded, 'round')}`);
      }
      put($('notes'), notes.join(' · '));
    }
    """#

  /// The table of clients, a page of it at a time.
  private static let scriptOfClients = #"""
    const page = {state: '', from: 0, size: 50};

    function showFilters(status) {
      const states = [['', status.clients_total], ...Object.entries(status.client_states)];
      const box = $('filters');
      if (!box.children.length) {
        for (const [state] of states) {
          const button = make('button', state ? 'dot ' + state : '');
          button.type = 'button';
          button.addEventListener('click', () => { page.state = state; page.from = 0; ask(); });
          box.append(button);
        }
      }
      states.forEach(([state, number], index) => {
        const button = box.children[index];
        put(button, `${state || 'all'} ${count(number)}`);
        button.setAttribute('aria-pressed', state === page.state);
        button.hidden = number === 0 && state !== '' && state !== page.state;
      });
    }

    function showPager(status) {
      if (page.from > 0 && page.from >= status.clients_matching) { page.from = 0; isDue = true; }
      const last = page.from + status.clients.length;
      put($('range'), status.clients_matching > page.size
        ? ` ${count(page.from + 1)}–${count(last)} of ${count(status.clients_matching)} ` : '');
      $('pager').hidden = status.clients_matching <= page.size;
      $('back').disabled = page.from === 0;
      $('on').disabled = last >= status.clients_matching;
    }

    const columns = [
      ['number', client => count(client.number)], ['', client => client.state], ['', client => client.name],
      ['', client => client.address], ['number', client => count(client.rounds)],
      ['number', client => count(client.accepted)], ['number', client => count(client.rejected)],
      ['number', client => bytes(client.bytes_up)], ['number', client => bytes(client.bytes_down)],
      ['number', (client, now) => client.last_seen === null ? 'never' : duration(Math.max(0, now - client.last_seen)) + ' ago'],
      ['', client => client.remark]];

    function showClients(status) {
      const body = $('clients'), rows = status.clients;
      if (!rows.length) {
        const row = make('tr', 'none'), cell = make('td', '', status.clients_total ? 'no client is in this state' : 'no clients');
        cell.colSpan = columns.length;
        row.append(cell);
        body.replaceChildren(row);
        return;
      }
      if (body.querySelector('.none')) body.replaceChildren();
      while (body.children.length > rows.length) body.lastChild.remove();
      rows.forEach((client, index) => {
        if (!body.children[index]) {
          const row = make('tr');
          row.append(...columns.map(([name]) => make('td', name)));
          row.children[1].append(make('span'));
          body.append(row);
        }
        const cells = body.children[index].children;
        columns.forEach(([, text], column) => {
          const node = column === 1 ? cells[1].firstChild : cells[column];
          const value = text(client, status.now);
          put(node, value);
          if (column === 2 || column === 3 || column === 10) cells[column].title = value;
        });
        cells[1].firstChild.className = 'dot ' + client.state;
      });
    }

    $('back').addEventListener('click', () => { page.from = Math.max(0, page.from - page.size); ask(); });
    $('on').addEventListener('click', () => { page.from += page.size; ask(); });
    """#

  /// Asks again and again, and says so when nobody answers.
  private static let scriptOfPolling = #"""
    let lostSince = null, timer = 0, isAsking = false, isDue = false;

    function showLost(isLost) {
      if (!isLost) lostSince = null; else if (lostSince === null) lostSince = new Date();
      document.body.classList.toggle('stale', isLost);
      $('lost').hidden = !isLost;
      if (isLost) {
        const time = lostSince.toLocaleTimeString('en-GB');
        put($('lost'), `connection lost since ${time}` + (shown ? '; below is what was known last' : ''));
      }
    }

    function show(status) {
      shown = status;
      showHeader(status); showCards(status); showNotes(status);
      showFilters(status); showPager(status); showClients(status);
      drawCharts();
    }

    async function ask() {
      if (isAsking) { isDue = true; return; }
      isAsking = true; isDue = false;
      clearTimeout(timer);
      let status = null;
      try {
        const query = new URLSearchParams({from: page.from, count: page.size, ...(page.state && {state: page.state})});
        const response = await fetch(`status.json?${query}`, {signal: AbortSignal.timeout(5000)});
        if (response.ok) status = await response.json();
      } catch (error) { /* said below */ }
      isAsking = false;
      showLost(status === null);
      if (status) show(status);
      timer = setTimeout(ask, isDue ? 0 : 1000);
    }

    ask();
    """#
}
