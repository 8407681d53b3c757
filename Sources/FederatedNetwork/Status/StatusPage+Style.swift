extension StatusPage {
  /// How the page looks, by day and by night.
  static let style = #"""
    :root {
      color-scheme: light dark;
      --page: #f6f7f9; --panel: #ffffff; --line: #e1e5ea; --ink: #1b232d; --quiet: #66717f;
      --blue: #1f69b3; --orange: #b35c10; --teal: #0d7d72; --violet: #7651b5; --green: #2b8045; --red: #bb3030;
      --amber: #93700a; --grey: #7f8a97; --warn: #fff1d6;
    }
    @media (prefers-color-scheme: dark) {
      :root {
        --page: #11151a; --panel: #191f26; --line: #2a323c; --ink: #e4e9ef; --quiet: #919dab;
        --blue: #62a8ec; --orange: #eb9a51; --teal: #44c0b1; --violet: #b094ec; --green: #63c380; --red: #f27c7c;
        --amber: #dcb549; --grey: #7c8895; --warn: #3a2d10;
      }
    }
    * { box-sizing: border-box; margin: 0; }
    body {
      max-width: 76rem; margin: 0 auto; padding: 1.5rem 1.25rem 1rem; background: var(--page); color: var(--ink);
      font: 14px/1.45 system-ui, "Segoe UI", "Noto Sans", "DejaVu Sans", sans-serif; font-variant-numeric: tabular-nums;
    }
    h1 { font-size: 1.45rem; font-weight: 650; letter-spacing: -.01em; overflow-wrap: anywhere; }
    h2 { font-size: .8rem; font-weight: 600; white-space: nowrap; }
    a { color: var(--blue); }
    .quiet { color: var(--quiet); }
    .title { display: flex; align-items: center; gap: .75rem; }
    .pill {
      flex: none; padding: .1rem .6rem; border-radius: 1rem; border: 1px solid currentColor; color: var(--quiet);
      font-size: .75rem; font-weight: 600;
    }
    .pill.active { color: var(--blue); } .pill.good { color: var(--green); } .pill.bad { color: var(--red); }
    .progress { margin: .9rem 0 1rem; }
    .progress p { margin-bottom: .35rem; }
    .track { height: 6px; border-radius: 3px; background: var(--line); overflow: hidden; }
    #bar { height: 100%; width: 0; border-radius: 3px; background: var(--blue); }
    #lost, .banner {
      margin-bottom: 1rem; padding: .55rem .8rem; border-radius: 6px; border-left: 3px solid var(--orange);
      background: var(--warn);
    }
    .stale main, .stale header { opacity: .6; }
    #cards, figure, .clients { border: 1px solid var(--line); border-radius: 8px; background: var(--panel); }
    #cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); overflow: hidden; }
    .card { padding: .7rem .95rem .75rem; box-shadow: 1px 1px 0 0 var(--line); }
    .card .what { color: var(--quiet); font-size: .75rem; }
    .card .value { font-size: 1.4rem; font-weight: 600; line-height: 1.3; letter-spacing: -.01em; white-space: nowrap; }
    .card .more { min-height: 1.1em; color: var(--quiet); font-size: .75rem; }
    .charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(24rem, 100%), 1fr)); gap: .8rem; margin: .8rem 0; }
    figure { min-width: 0; padding: .7rem .95rem .6rem; }
    figcaption { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 1rem; margin-bottom: .3rem; }
    .legend { display: flex; flex-wrap: wrap; gap: 0 1rem; color: var(--quiet); font-size: .75rem; }
    .legend b { color: var(--ink); font-weight: 600; }
    .legend i { display: inline-block; width: .9em; height: 2px; margin-right: .4em; vertical-align: middle; }
    svg { display: block; width: 100%; height: 190px; overflow: visible; }
    svg text { font-size: 11px; fill: var(--quiet); }
    svg .grid { stroke: var(--line); } svg .cursor { stroke: var(--grey); }
    svg .line { fill: none; stroke-width: 1.75; stroke-linejoin: round; stroke-linecap: round; }
    .accuracy { stroke: var(--blue); background: var(--blue); } .loss { stroke: var(--orange); background: var(--orange); }
    .up { stroke: var(--teal); background: var(--teal); } .down { stroke: var(--violet); background: var(--violet); }
    svg text.accuracy, svg text.loss { stroke: none; }
    svg text.accuracy { fill: var(--blue); } svg text.loss { fill: var(--orange); }
    svg circle { fill: var(--panel); stroke-width: 1.75; }
    .clients .bar { display: flex; flex-wrap: wrap; align-items: center; gap: .4rem .9rem; padding: .6rem .95rem; }
    #filters { display: flex; flex-wrap: wrap; gap: .25rem; flex: 1; }
    button {
      padding: .1rem .45rem; border: 1px solid var(--line); border-radius: 1rem; background: none; color: var(--quiet);
      font: inherit; font-size: .75rem; cursor: pointer;
    }
    button:hover, button[aria-pressed=true] { color: var(--ink); border-color: var(--grey); }
    button[aria-pressed=true] { background: var(--page); }
    button:disabled { opacity: .35; cursor: default; }
    #pager { color: var(--quiet); font-size: .75rem; white-space: nowrap; }
    .scroll { overflow-x: auto; }
    table { width: 100%; border-collapse: collapse; font-size: .82rem; }
    th { color: var(--quiet); font-size: .72rem; font-weight: 500; text-align: left; }
    th, td { padding: .26rem .6rem; border-top: 1px solid var(--line); white-space: nowrap; }
    th:first-child, td:first-child { padding-left: .95rem; width: 4rem; }
    td { max-width: 13rem; overflow: hidden; text-overflow: ellipsis; }
    th:last-child { width: 100%; min-width: 10rem; } td:last-child { max-width: 0; padding-right: .95rem; }
    .number { text-align: right; }
    tbody tr:hover { background: var(--page); }
    .none td { padding: 1.2rem; color: var(--quiet); text-align: center; }
    .dot::before {
      content: ""; display: inline-block; width: .55em; height: .55em; margin-right: .5em; border-radius: 50%;
      background: currentColor; vertical-align: .06em;
    }
    .dot.offline { color: var(--grey); } .dot.online { color: var(--quiet); } .dot.selected { color: var(--violet); }
    .dot.downloading, .dot.uploading { color: var(--teal); } .dot.training { color: var(--blue); }
    .dot.done { color: var(--green); } .dot.rejected { color: var(--red); } .dot.late { color: var(--amber); }
    .dot.offline::before { background: none; box-shadow: inset 0 0 0 1.5px currentColor; }
    footer {
      display: flex; flex-wrap: wrap; justify-content: space-between; gap: .2rem 1rem; padding: .8rem .2rem;
      color: var(--quiet); font-size: .75rem; overflow-wrap: anywhere;
    }
    """#
}
