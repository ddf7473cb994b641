#pragma once
/// The page of the dashboard: one HTML document with its style and its script, no framework, no build step.
///
/// The script keeps a copy of the overview (see overview.hpp) by merge patches from /events and touches only
/// what changed of the document. Names and messages come from strangers: they become text nodes and nothing
/// else, and what is no number is never written into a style or a path. Both kinds of screen, any width, and
/// the keyboard alone will do.

#include <string>
#include <string_view>

namespace podium::inline v0::cluster {

namespace detail {

inline constexpr std::string_view page_style = R"page(
:root{color-scheme:light dark;--page:#f6f7f9;--card:#fff;--ink:#14181f;--soft:#5c6675;--rule:#e3e7ec;--band:#f1f4f8;
--good:#0a7d43;--good-bg:#e2f5ea;--bad:#c62f2f;--bad-bg:#fdeaea;--wait:#96610b;--wait-bg:#fdf1d8;--blue:#2a78d6;
--ready:#2fa56f;--running:#e0a03a;--starting:#5b9be6;--pending:#b9c2cd;--leaving:#8fa0b5;--failed:#d64545;--done:#c9d0d8;
--v0:#2a78d6;--v1:#e8963a;--v2:#1a9e74;--v3:#8a5cd6;--v4:#d6558f;--v5:#7b8794;--v6:#1fa3b8;--v7:#a3841b}
@media (prefers-color-scheme:dark){:root{--page:#0f1216;--card:#171b21;--ink:#e9edf2;--soft:#98a3b1;--rule:#2a313a;
--band:#1e242c;--good:#4fce8b;--good-bg:#12301f;--bad:#ff7b72;--bad-bg:#3a1a1a;--wait:#e6b450;--wait-bg:#33280f;--blue:#4c96ee;
--ready:#35a873;--running:#d79a3a;--starting:#4c8ddb;--pending:#4b5563;--leaving:#64748b;--failed:#e5534b;--done:#3a424d;
--v0:#4c96ee;--v1:#e0923f;--v2:#2fb68a;--v3:#a784ea;--v4:#e3719f;--v5:#8d99a8;--v6:#3cbdd1;--v7:#c2a338}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:14px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;-webkit-text-size-adjust:100%}
[hidden]{display:none!important}
h1,h2,h3,p,ol,ul,dl{margin:0;padding:0}ol,ul{list-style:none}
button{font:inherit;color:inherit;background:none;border:0;padding:0;text-align:inherit;cursor:pointer}
:focus-visible{outline:2px solid var(--blue);outline-offset:2px;border-radius:4px}
header{display:flex;flex-wrap:wrap;align-items:center;gap:8px 14px;max-width:1480px;margin:0 auto;padding:20px 24px 0}
h1{font-size:22px;line-height:1.2;letter-spacing:-.02em}
#live{display:inline-flex;align-items:center;gap:7px;color:var(--soft);font-size:13px}
#live i{width:8px;height:8px;border-radius:50%;background:var(--pending)}
#live.on i{background:var(--ready)}#live.off i{background:var(--failed)}
#filter{margin-left:auto;width:min(260px,100%);font:inherit;font-size:13px;color:inherit;background:var(--card);border:1px solid var(--rule);border-radius:8px;padding:6px 10px}
#filter::placeholder{color:var(--soft)}
main{max-width:1480px;margin:0 auto;padding:16px 24px 56px;display:grid;gap:14px;grid-template-columns:minmax(0,1fr)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px}
.tile,.card{background:var(--card);border:1px solid var(--rule);border-radius:12px;min-width:0}
.tile{padding:12px 16px;position:relative;overflow:hidden}
.tile b{display:block;font-size:24px;line-height:1.25;letter-spacing:-.02em;font-variant-numeric:tabular-nums;white-space:nowrap}
.tile b .v{color:inherit;font-size:inherit}.tile b small{font-size:14px;font-weight:400;color:var(--soft);letter-spacing:0}
.tile span{color:var(--soft);font-size:13px}.tile.good b{color:var(--good)}.tile.bad b{color:var(--bad)}.tile.wait b{color:var(--wait)}
.card{padding:14px 16px 12px}
.card>h2{font-size:15px;display:flex;align-items:baseline;gap:8px;margin-bottom:8px}
h2 small{font-weight:400;font-size:13px;color:var(--soft)}
.columns{display:grid;gap:14px;grid-template-columns:minmax(0,1fr)}.columns>div{display:grid;gap:14px;align-content:start;min-width:0}
@media (min-width:1180px){.columns{grid-template-columns:minmax(0,1fr) 400px}}
.pill{display:inline-block;padding:0 8px;border-radius:99px;font-size:12px;line-height:20px;font-weight:600;white-space:nowrap;background:var(--band);color:var(--soft);max-width:100%;overflow:hidden;text-overflow:ellipsis;vertical-align:bottom}
.pill.good{background:var(--good-bg);color:var(--good)}.pill.bad{background:var(--bad-bg);color:var(--bad)}.pill.wait{background:var(--wait-bg);color:var(--wait)}
.soft{color:var(--soft)}.num{font-variant-numeric:tabular-nums;white-space:nowrap}.name{font-weight:600;overflow-wrap:anywhere}
.rows>li{padding:8px 0;border-top:1px solid var(--rule)}.rows>li:first-child{border-top:0}
.more{color:var(--soft);font-size:13px;padding-top:6px}
#waiting li{display:grid;grid-template-columns:minmax(0,1fr) auto;gap:0 12px}
#waiting .who{display:flex;flex-wrap:wrap;gap:2px 8px;align-items:center;min-width:0}
#waiting p{grid-column:1/-1;color:var(--soft);overflow-wrap:anywhere}
.dot{flex:none;width:9px;height:9px;border-radius:50%;background:var(--running)}.dot.bad{background:var(--failed)}
#services li{display:grid;grid-template-columns:minmax(130px,1.3fr) minmax(100px,1.6fr) minmax(60px,.5fr) minmax(56px,.5fr) minmax(116px,.8fr) minmax(52px,.4fr);gap:4px 14px;align-items:center}
#services .figure{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
#services .figure b{display:block;font-size:15px;line-height:1.3;font-weight:600}#services .figure span{font-size:12px;color:var(--soft)}
#services .figure.bad b{color:var(--bad)}
.split{grid-column:1/-1;display:flex;height:18px;border-radius:5px;overflow:hidden;gap:1px;font-size:11px;line-height:18px;color:#fff;font-weight:600}
.split i{font-style:normal;padding:0 6px;overflow:hidden;white-space:nowrap;text-overflow:ellipsis;min-width:3px;transition:flex-grow .5s}
.spark{display:block;width:100%;height:34px}.spark .line{fill:none;stroke:var(--blue);stroke-width:1.5;vector-effect:non-scaling-stroke;stroke-linejoin:round}
.spark .area{fill:var(--blue);opacity:.13}.spark .bad{fill:var(--failed);opacity:.85}
#autoscalers>li{display:grid;grid-template-columns:minmax(130px,1.3fr) minmax(100px,1.6fr) minmax(180px,1.4fr) minmax(72px,.5fr);gap:4px 14px;align-items:center}
#autoscalers .figure{text-align:right;font-variant-numeric:tabular-nums}#autoscalers .figure b{display:block;font-size:15px;line-height:1.3;white-space:nowrap}#autoscalers .figure span,.goals{font-size:12px;color:var(--soft)}#autoscalers .why{grid-column:1/-1}
.goals b{font-size:14px;color:var(--ink)}.spark.tall{height:54px}.spark .steps{fill:none;stroke:var(--ready);stroke-width:1.5;vector-effect:non-scaling-stroke}.spark .target{fill:none;stroke:var(--soft);stroke-dasharray:3 3;stroke-width:1;vector-effect:non-scaling-stroke}.spark.tall .area{fill:var(--ready)}
@media (max-width:760px){#autoscalers>li{grid-template-columns:minmax(0,1fr) auto}#autoscalers .spark{grid-column:1/-1}#services li{grid-template-columns:1fr 1fr 1.9fr .8fr}#services .what,#services .spark{grid-column:1/-1}#services .figure{text-align:left}
header,main{padding-left:12px;padding-right:12px}.tiles{grid-template-columns:repeat(2,minmax(0,1fr))}}
#workloads{display:grid;gap:12px;grid-template-columns:repeat(auto-fill,minmax(min(330px,100%),1fr))}
.work{border:1px solid var(--rule);border-radius:10px;padding:10px 12px;min-width:0;display:grid;gap:6px;align-content:start}
.work.wide{grid-column:1/-1}
.work h3{font-size:14px;display:flex;flex-wrap:wrap;align-items:center;gap:2px 8px}.work h3 .count{margin-left:auto;font-weight:600;font-variant-numeric:tabular-nums}
.bar{height:6px;border-radius:3px;background:var(--band);overflow:hidden;display:flex;gap:1px}.bar i{display:block;height:100%;transition:width .4s,flex-grow .4s;background:var(--ready)}
.bar i.part{background:var(--running)}.bar.use{position:relative}.bar.use i{position:absolute;left:0;top:0;background:var(--blue);opacity:.35}.bar.use i.full{background:var(--running);opacity:.6}.bar.use i.used{opacity:1}
.versions{display:grid;gap:2px 10px;grid-template-columns:auto minmax(0,1fr) auto auto;font-size:13px;align-items:center}
.versions>li{display:contents}.versions .sw,.legend .sw{width:10px;height:10px;border-radius:3px;display:inline-block}
.why{color:var(--soft);font-size:13px;overflow-wrap:anywhere}.why.bad{color:var(--bad)}
.steps{display:flex;flex-wrap:wrap;gap:4px}.steps li{font-size:12px;line-height:20px;padding:0 8px;border-radius:6px;background:var(--band);color:var(--soft);white-space:nowrap}
.steps li.past{color:var(--good)}.steps li.past::before{content:"✓ "}.steps li.now{background:var(--blue);color:#fff;font-weight:600}
.verdict{border-top:1px solid var(--rule);padding-top:8px;margin-top:2px}
.verdict h4{margin:0;font-size:13px;display:flex;flex-wrap:wrap;gap:2px 8px;align-items:center}
.verdict .legend{margin-left:auto;display:flex;flex-wrap:wrap;gap:2px 12px;font-weight:400;font-size:12px}
.verdict .legend .sw{margin-right:5px}
.plot{display:block;width:100%;height:auto}.plot text{font-size:11px;fill:var(--soft);font-variant-numeric:tabular-nums}
.plot .y{text-anchor:end}.plot .end{text-anchor:end}.plot .grid{stroke:var(--rule);fill:none;shape-rendering:crispEdges}.plot .line{fill:none;stroke-width:1.8;stroke-linejoin:round}.plot .range{opacity:.2}
.plot .mark{stroke:var(--ink);stroke-dasharray:4 3;fill:none}
.v0{fill:var(--v0);background:var(--v0);stroke:var(--v0)}.v1{fill:var(--v1);background:var(--v1);stroke:var(--v1)}.v2{fill:var(--v2);background:var(--v2);stroke:var(--v2)}.v3{fill:var(--v3);background:var(--v3);stroke:var(--v3)}
.v4{fill:var(--v4);background:var(--v4);stroke:var(--v4)}.v5{fill:var(--v5);background:var(--v5);stroke:var(--v5)}.v6{fill:var(--v6);background:var(--v6);stroke:var(--v6)}.v7{fill:var(--v7);background:var(--v7);stroke:var(--v7)}
.plot .range{stroke:none}
#nodes{display:grid;gap:12px;grid-template-columns:repeat(auto-fit,minmax(min(270px,100%),1fr))}
.node{border:1px solid var(--rule);border-radius:10px;padding:10px 12px;min-width:0}
.node.off{border-color:var(--failed)}
.node h3{font-size:14px;display:flex;flex-wrap:wrap;align-items:center;gap:2px 8px;margin-bottom:4px}
.uses{display:grid;grid-template-columns:auto 1fr auto;gap:2px 8px;align-items:center;font-size:12px;color:var(--soft);margin-bottom:8px}
.pods{display:flex;flex-wrap:wrap;gap:4px}
.pod{display:flex;align-items:center;gap:7px;width:100%;padding:2px 6px;border-radius:6px;font-size:13px;min-width:0}
.pod:hover,.pod:focus-visible{background:var(--band)}
.pod i{flex:none;width:10px;height:10px;border-radius:3px;background:var(--pending)}
.pod .n{overflow:hidden;text-overflow:ellipsis;white-space:nowrap;min-width:0}
.pod .w{margin-left:auto;color:var(--soft);font-size:12px;white-space:nowrap}
.pod.ready i{background:var(--ready)}.pod.running i{background:var(--running)}.pod.starting i{background:var(--starting)}.pod.leaving i{background:repeating-linear-gradient(45deg,var(--leaving) 0 2px,transparent 2px 4px)}
.pod.failed i{background:var(--failed)}.pod.done i{background:var(--done)}.pod.pending i{background:transparent;border:2px solid var(--pending)}
.dense .pod{width:auto;padding:0}.dense .pod i{width:12px;height:12px}.dense .pod .n,.dense .pod .w{display:none}.dense .pods{gap:3px}#nodes.dense{grid-template-columns:repeat(auto-fill,minmax(min(176px,100%),1fr));gap:8px}.dense .node{padding:8px 10px}.dense .uses{gap:0 8px;margin-bottom:6px}.dense .uses .num{display:none}.dense .uses{grid-template-columns:auto 1fr}
.keys{display:flex;flex-wrap:wrap;gap:2px 14px;margin-left:auto;font-weight:400;font-size:12px;color:var(--soft)}.keys .pod{width:auto;padding:0;gap:5px;font-size:12px}.keys .pod i{width:9px;height:9px}
#events li,#pod-events li{display:grid;grid-template-columns:auto minmax(0,1fr) auto;gap:0 8px;align-items:baseline;padding:6px 0;font-size:13px}
#events .dot,#pod-events .dot{background:var(--pending);width:7px;height:7px;align-self:center}#events .dot.bad,#pod-events .dot.bad{background:var(--running)}
#events p,#pod-events p{grid-column:2/-1;color:var(--soft);overflow-wrap:anywhere}
#budgets li{display:flex;flex-wrap:wrap;gap:0 8px;align-items:center;font-size:13px}#budgets .pill{margin-left:auto}
#events{max-height:860px;overflow-y:auto;overscroll-behavior:contain}
dialog{margin:0 0 0 auto;height:100dvh;max-height:none;width:min(720px,100vw);max-width:none;border:0;border-left:1px solid var(--rule);padding:0;background:var(--card);color:var(--ink);box-shadow:-12px 0 40px rgb(0 0 0/.18)}
dialog::backdrop{background:rgb(10 14 20/.35)}
.drawer{display:flex;flex-direction:column;gap:10px;height:100%;padding:18px 20px;overflow:auto}
.drawer h2{font-size:18px;line-height:1.3;overflow-wrap:anywhere;padding-right:40px}
.drawer .close{position:absolute;right:14px;top:14px;width:32px;height:32px;border-radius:8px;text-align:center;font-size:18px;color:var(--soft)}.drawer .close:hover{background:var(--band)}
.log-head{font-size:13px;margin-top:4px}.log-head select{font:inherit;color:inherit;background:var(--card);border:1px solid var(--rule);border-radius:6px}
.drawer dl{display:grid;grid-template-columns:auto minmax(0,1fr);gap:1px 14px;font-size:13px}.drawer dt{color:var(--soft)}.drawer dd{margin:0;overflow-wrap:anywhere}
pre{margin:0;flex:1 1 220px;min-height:160px;overflow:auto;background:var(--page);border:1px solid var(--rule);border-radius:8px;padding:10px 12px;font:12px/1.5 ui-monospace,"DejaVu Sans Mono",Menlo,monospace;white-space:pre-wrap;overflow-wrap:anywhere}
@media (prefers-reduced-motion:reduce){*{transition:none!important}}
@media print{header,main{max-width:none;padding:0}#filter,dialog{display:none}}
)page";

inline constexpr std::string_view page_body = R"page(
<header><h1>podium</h1><span id="live" role="status"><i></i><span>connecting</span></span>
<input id="filter" type="search" placeholder="Filter by name  ( / )" aria-label="Filter by name" autocomplete="off" spellcheck="false"></header>
<main>
<section class="tiles" id="tiles" aria-label="Summary"></section>
<noscript><p class="card">This page needs its script. The same is at /overview as JSON.</p></noscript>
<section class="card" id="waiting-card" hidden><h2>Waiting <small></small></h2><ul class="rows" id="waiting"></ul><p class="more"></p></section>
<div class="columns"><div>
<section class="card" id="services-card" hidden><h2>Services <small></small></h2><ul class="rows" id="services"></ul><p class="more"></p></section>
<section class="card" id="autoscalers-card" hidden><h2>Autoscalers <small></small></h2><ul class="rows" id="autoscalers"></ul></section>
<section class="card" id="workloads-card" hidden><h2>Workloads <small></small></h2><div id="workloads"></div></section>
</div><div>
<section class="card" id="budgets-card" hidden><h2>Disruption budgets <small></small></h2><ul class="rows" id="budgets"></ul></section>
<section class="card" id="events-card" hidden><h2>Events <small></small></h2><ul class="rows" id="events" tabindex="0" aria-label="Events, newest first"></ul></section>
</div></div>
<section class="card" id="nodes-card" hidden><h2>Nodes <small></small><span class="keys" id="keys"></span></h2><div id="nodes"></div></section>
</main>
<dialog id="drawer" aria-labelledby="pod-name"><div class="drawer"><button class="close" aria-label="Close">✕</button>
<h2 id="pod-name"></h2><p class="why" id="pod-why"></p><dl id="pod-facts"></dl><ul class="rows" id="pod-events" aria-label="Its events"></ul><p class="log-head"><b>Log</b> <select id="pod-container" aria-label="Container" hidden></select> <span class="soft" id="log-note"></span></p><pre id="pod-log" tabindex="0" aria-label="Log"></pre></div></dialog>
)page";

inline constexpr std::string_view page_script = R"page('use strict';
const $ = id => document.getElementById(id);
const svg_space = 'http://www.w3.org/2000/svg';
const el = (tag, cls, ...kids) => { const e = document.createElement(tag); if (cls) e.className = cls; e.append(...kids); return e; };
const svg = (tag, attributes) => { const e = document.createElementNS(svg_space, tag); for (const [k, v] of Object.entries(attributes || {})) e.setAttribute(k, v); return e; };
// What was set last is kept beside it: asking the document takes longer.
const say = (e, text) => { text = String(text ?? ''); if (e.said !== text) { e.said = text; e.textContent = text; } };
const at = (e, name, value) => { const key = '@' + name; value = String(value); if (e[key] !== value) { e[key] = value; e.setAttribute(name, value); } };
const be = (e, cls) => at(e, 'class', cls);
const plural = (n, one, many) => n + ' ' + (n === 1 ? one : many || one + 's');
const number = v => Number.isFinite(v) ? v : 0;

// One child of `parent` for each [key, value], made once, kept in order; only what differs is touched.
function keyed(parent, entries, make, update) {
  const had = parent.had || (parent.had = new Map());
  const want = new Set(entries.map(e => e[0]));
  for (const [key, child] of had) if (!want.has(key)) { child.remove(); had.delete(key); }
  let place = parent.firstChild;
  for (const [key, value] of entries) {
    let child = had.get(key);
    if (!child) { child = make(key, value); had.set(key, child); }
    if (child === place) place = place.nextSibling; else parent.insertBefore(child, place);
    update(child, value, key);
  }
}

// RFC 7396.
function merge(to, patch) {
  for (const [k, v] of Object.entries(patch)) {
    if (k === '__proto__') continue;
    if (v === null) delete to[k];
    else if (typeof v === 'object' && !Array.isArray(v)) to[k] = merge(typeof to[k] === 'object' && !Array.isArray(to[k]) ? to[k] : {}, v);
    else to[k] = v;
  }
  return to;
}

const fixed = (v, d) => d ? v.toFixed(d).replace(/\.?0+$/, '') : v.toFixed(0);
const short = v => v === 0 ? '0' : v >= 1e6 ? fixed(v / 1e6, 1) + 'M' : v >= 1e4 ? fixed(v / 1e3, 1) + 'k' : v >= 100 ? String(Math.round(v)) : v >= 10 ? fixed(v, 1) : fixed(v, 2);
const time = s => !s ? '–' : s < 1e-3 ? Math.round(s * 1e6) + ' µs' : s < 0.01 ? fixed(s * 1e3, 1) + ' ms' : s < 1 ? Math.round(s * 1e3) + ' ms' : fixed(s, s < 10 ? 1 : 0) + ' s';
const bytes = v => v >= 2 ** 30 ? fixed(v / 2 ** 30, 1) + ' Gi' : v >= 2 ** 20 ? Math.round(v / 2 ** 20) + ' Mi' : Math.round(v / 1024) + ' Ki';
const cores = m => fixed(m / 1000, m < 100 ? 3 : m < 1000 ? 2 : 1);
const percent = (v, d = 1) => fixed(v * 100, d) + ' %';
const ago = ms => { const s = Math.max(0, Math.round(((state.now || 0) - ms) / 1000)); return s < 60 ? s + ' s' : s < 3600 ? Math.floor(s / 60) + ' min' : s < 86400 ? Math.floor(s / 3600) + ' h' : Math.floor(s / 86400) + ' d'; };
const name_of = key => { const parts = key.split('/'); return parts.length > 1 && parts[0] === 'default' ? parts.slice(1).join('/') : key; };
const thing = key => { const cut = key.indexOf('/'); return [key.slice(0, cut), name_of(key.slice(cut + 1))]; };

let state = {}, series = {}, scaling = {}, looks = {}, wanted = '', shown_pod = null;
const seconds = 300, most_looks = 240;
const hues = new Map();
const hue = version => { if (!hues.has(version)) hues.set(version, 'v' + hues.size % 8); return hues.get(version); };
const matches = text => !wanted || text.toLowerCase().includes(wanted);
const natural = new Intl.Collator('en', { numeric: true }).compare;
const sorted = o => Object.entries(o || {}).sort((a, b) => a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0);

// -- What comes in ------------------------------------------------------------------------------------
function begin(whole) {
  state = whole;
  series = {}; scaling = {}; looks = {};
  for (const [name, c] of Object.entries(whole.history.services)) series[name] = { rate: c[0], errors: c[1], p50: c[2], p99: c[3], in_flight: c[4] };
  for (const [name, c] of Object.entries(whole.history.autoscalers || {})) scaling[name] = { load: c[0], replicas: c[1] };
  for (const [name, rows] of Object.entries(whole.history.comparisons)) looks[name] = rows;
  delete state.history;
}
function change(patch) {
  merge(state, patch);
  if (patch.sample !== undefined) {
    for (const name of Object.keys(series)) if (!state.services[name]) delete series[name];
    const keep = (all, row) => { for (const column of Object.keys(all)) { all[column].push(number(row[column])); if (all[column].length > seconds) all[column].shift(); } };
    for (const [name, s] of Object.entries(state.services)) keep(series[name] || (series[name] = { rate: [], errors: [], p50: [], p99: [], in_flight: [] }), s);
    for (const name of Object.keys(scaling)) if (!state.autoscalers[name]) delete scaling[name];
    for (const [name, a] of Object.entries(state.autoscalers || {})) keep(scaling[name] || (scaling[name] = { load: [], replicas: [] }), { load: a.load, replicas: a.current });
  }
  for (const [run, a] of Object.entries(patch.analyses || {})) {
    if (a === null) { for (const key of Object.keys(looks)) if (key.startsWith(run + '/')) delete looks[key]; continue; }
    for (const m of state.analyses[run].metrics) {
      if (!m.comparison) continue;
      const c = m.comparison.canary, s = m.comparison.stable, key = run + '/' + m.name;
      let all = looks[key] || (looks[key] = []);
      const row = [state.now, c.units, c.hits, c.low, c.high, s.units, s.hits, s.low, s.high], last = all[all.length - 1];
      if (last && row.every((v, i) => i === 0 || v === last[i])) continue;
      all.push(row);
      if (all.length > most_looks) looks[key] = all.filter((_, i) => i % 2 === 0 || i === all.length - 1);
    }
  }
}

let drawing = false;
function draw_soon() { if (!drawing) { drawing = true; requestAnimationFrame(() => { drawing = false; draw(); }); } }

function listen() {
  const source = new EventSource('events');
  const live = (how, words) => { be($('live'), how); say($('live').lastChild, words); };
  source.addEventListener('state', e => { begin(JSON.parse(e.data)); live('on', 'live'); draw_soon(); });
  source.addEventListener('patch', e => { change(JSON.parse(e.data)); live('on', state.stage === 'up' ? 'live' : state.stage); draw_soon(); });
  source.onerror = () => { live('off', 'not connected'); if (source.readyState === EventSource.CLOSED) setTimeout(listen, 2000); };
}

// -- What is shown ------------------------------------------------------------------------------------
function head(id, count, note) {
  const card = $(id + '-card');
  card.hidden = count === 0;
  say(card.querySelector('h2 small'), note);
}
function draw() {
  draw_tiles(); draw_waiting(); draw_services(); draw_autoscalers(); draw_workloads(); draw_nodes(); draw_budgets(); draw_events(); draw_pod();
}

function draw_tiles() {
  const nodes = Object.values(state.nodes), ready = nodes.filter(n => n.ready).length;
  const services = Object.values(state.services);
  const sum = what => services.reduce((a, s) => a + number(s[what]), 0);
  const rate = sum('rate'), errors = sum('errors'), p99 = Math.max(0, ...services.map(s => number(s.p99)));
  const all = Object.values(state.waiting), stuck = all.filter(w => w.stuck).length;
  keyed($('tiles'), [
    ['nodes', [ready, ' of ' + nodes.length, 'nodes ready', ready < nodes.length ? 'bad' : '']],
    ['pods', [state.totals.ready, ' of ' + state.totals.pods, 'pods ready', '']],
    ['rate', [short(rate), ' /s', 'requests', '']],
    ['errors', [rate > 0 ? percent(errors / rate, errors / rate < 0.1 ? 2 : 0) : '–', '', 'failed', errors > 0 ? 'bad' : '']],
    ['p99', [time(p99), '', 'slowest p99', '']],
    ['waiting', [all.length, '', all.length === 0 ? 'nothing waits' : stuck ? stuck + ' of them stuck' : 'waiting, going on', stuck ? 'bad' : all.length ? 'wait' : 'good']],
  ], () => el('div', 'tile', el('b', '', el('span', 'v'), el('small')), el('span', 'l')), (e, [value, unit, label, how]) => {
    be(e, 'tile ' + how);
    say(e.firstChild.firstChild, value); say(e.firstChild.lastChild, unit); say(e.lastChild, label);
  });
}

function draw_waiting() {
  const groups = new Map();
  for (const [key, w] of sorted(state.waiting)) {
    if (!matches(key)) continue;
    const kind = key.slice(0, key.indexOf('/')), owner = kind === 'Pod' ? (state.pods[key.slice(4)] || {}).owner || '' : key;
    const id = [kind, owner, w.reason, kind === 'Pod' ? w.message : ''].join('\n');
    const g = groups.get(id);
    if (g) g.more++; else groups.set(id, { key, w, more: 0 });
  }
  const all = [...groups].sort((a, b) => b[1].w.stuck - a[1].w.stuck);
  const count = Object.keys(state.waiting).length, stuck = Object.values(state.waiting).filter(w => w.stuck).length;
  head('waiting', count, stuck ? plural(stuck, 'is stuck', 'are stuck') : 'on its way');
  keyed($('waiting'), all.slice(0, 40), () => {
    const row = el('li', '', el('span', 'who', el('i', 'dot'), el('button', 'name'), el('span', 'soft'), el('span', 'pill')), el('span', 'num soft'), el('p'));
    row.querySelector('button').addEventListener('click', () => { if (row.key.startsWith('Pod/')) open_pod(row.key.slice(4)); });
    return row;
  }, (row, { key, w, more }) => {
    row.key = key;
    const [kind, name] = thing(key), [dot, who, note, pill] = row.firstChild.children;
    be(dot, w.stuck ? 'dot bad' : 'dot');
    who.disabled = kind !== 'Pod';
    say(who, kind.toLowerCase() + ' ' + name); say(note, more ? 'and ' + more + ' more' : '');
    say(pill, w.reason); be(pill, 'pill ' + (w.stuck ? 'bad' : 'wait'));
    say(row.children[1], w.since ? ago(w.since) : ''); say(row.lastChild, w.message);
  });
  say($('waiting-card').lastChild, all.length > 40 ? 'and ' + (all.length - 40) + ' more' : '');
}

// A filled line over the last minutes; `bad` as columns on top of it.
function spark() {
  const s = svg('svg', { class: 'spark', viewBox: '0 0 300 34', preserveAspectRatio: 'none', 'aria-hidden': 'true' });
  s.append(svg('path', { class: 'area' }), svg('path', { class: 'line' }), svg('path', { class: 'bad' }));
  return s;
}
function draw_spark(s, values, bad) {
  const most = Math.max(1e-9, ...values), n = values.length, x = i => seconds - n + i, y = v => (33 - 31 * v / most).toFixed(1);
  let line = '', columns = '';
  for (let i = 0; i < n; i++) line += (i ? 'L' : 'M') + x(i) + ' ' + y(values[i]);
  for (let i = 0; i < n; i++) if (bad && bad[i] > 0) columns += 'M' + x(i) + ' 34V' + (33 - Math.max(3, 31 * Math.min(1, bad[i] / most))).toFixed(1) + 'h1V34z';
  at(s.children[0], 'd', n > 1 ? line + 'V34H' + x(0) + 'z' : ''); at(s.children[1], 'd', n > 1 ? line : ''); at(s.children[2], 'd', columns);
}

function draw_services() {
  const all = Object.entries(state.services).filter(([name]) => matches(name)).sort((a, b) => natural(a[1].service, b[1].service) || natural(a[0], b[0]));
  head('services', Object.keys(state.services).length, 'requests over the last five minutes');
  const figure = label => el('div', 'figure', el('b'), el('span', '', label));
  keyed($('services'), all.slice(0, 100), () => {
    const row = el('li', '', el('div', 'what', el('div', 'name'), el('div', 'soft')), spark(), figure('per second'), figure('failed'), figure('p50 · p99'), figure('in flight'), el('div', 'split'));
    row.querySelector('.spark').setAttribute('role', 'presentation');
    return row;
  }, (row, s, name) => {
    const [what, line, rate, errors, latency, flying, split] = row.children;
    const cut = name.lastIndexOf(':');
    say(what.firstChild, name_of(name.slice(0, cut)));
    say(what.lastChild, ':' + s.port + (s.mode === 'tcp' ? ' tcp' : '') + ' · ' + (s.ready ? s.ready + ' ready' : 'no endpoint') + (s.draining ? ', ' + s.draining + ' draining' : '') + (s.ejected ? ', ' + s.ejected + ' ejected' : ''));
    const past = series[name] || { rate: [], errors: [] };
    draw_spark(line, past.rate, past.errors);
    say(rate.firstChild, short(number(s.rate)));
    say(errors.firstChild, s.rate > 0 ? percent(s.errors / s.rate, s.errors / s.rate < 0.1 ? 2 : 0) : '–'); be(errors, s.errors > 0 ? 'figure bad' : 'figure');
    say(latency.firstChild, s.p99 ? time(s.p50) + ' · ' + time(s.p99) : '–');
    say(flying.firstChild, number(s.in_flight));
    const versions = sorted(s.versions);
    split.hidden = versions.length < 2;
    keyed(split, versions.length < 2 ? [] : versions, () => el('i'), (part, v, version) => {
      be(part, hue(version)); part.style.flexGrow = String(number(v.rate));
      say(part, (version || 'no version') + '  ' + percent(v.rate / s.rate, 0)); part.title = version + ': ' + short(v.rate) + ' /s';
    });
  });
  say($('services-card').lastChild, all.length > 100 ? 'and ' + (all.length - 100) + ' more' : '');
}

// Replicas as steps and what they go by as a line, over the last minutes, each on its own scale.
function draw_autoscalers() {
  const all = sorted(state.autoscalers).filter(([key]) => matches(key));
  head('autoscalers', Object.keys(state.autoscalers || {}).length, '');
  const figure = label => el('div', 'figure', el('b'), el('span', '', label));
  keyed($('autoscalers'), all.slice(0, 100), () => {
    const plot = svg('svg', { class: 'spark tall', viewBox: '0 0 300 54', preserveAspectRatio: 'none', 'aria-hidden': 'true' });
    plot.append(svg('path', { class: 'area' }), svg('path', { class: 'target' }), svg('path', { class: 'steps' }), svg('path', { class: 'line' }));
    return el('li', '', el('div', 'what', el('div', 'name'), el('div', 'soft')), plot, el('ul', 'goals'), figure('replicas'), el('p', 'why'));
  }, (row, a, key) => {
    const [what, plot, goals, replicas, why] = row.children, waits = state.waiting['HorizontalPodAutoscaler/' + key];
    say(what.firstChild, name_of(key)); say(what.lastChild, thing(a.target).join(' ').toLowerCase() + ' · ' + a.min + ' to ' + a.max);
    say(replicas.firstChild, a.desired === a.current ? a.current : a.current + ' → ' + a.desired);
    keyed(goals, a.metrics.map((m, i) => [i, m]), () => el('li', '', el('b'), el('span', 'soft')), (li, m) => {
      say(li.firstChild, m.current === undefined ? '–' : m.current); say(li.lastChild, ' of ' + m.target + ' ' + m.name);
    });
    say(why, waits ? waits.message : a.message || ''); be(why, waits && waits.stuck ? 'why bad' : 'why'); why.hidden = !why.said;
    const past = scaling[key] || { load: [], replicas: [] }, n = past.load.length, x = i => seconds - n + i;
    const most = Math.max(1.25, ...past.load) * 1.05, many = Math.max(1, a.max, ...past.replicas), y = v => (53 - 51 * v / most).toFixed(1), r = v => (53 - 51 * v / many).toFixed(1);
    let line = '', steps = '';
    for (let i = 0; i < n; i++) { line += (i ? 'L' : 'M') + x(i) + ' ' + y(past.load[i]); steps += (i ? 'H' + x(i) + 'V' : 'M' + x(i) + ' ') + r(past.replicas[i]); }
    at(plot.children[0], 'd', n > 1 ? steps + 'V54H' + x(0) + 'z' : ''); at(plot.children[1], 'd', 'M0 ' + y(1) + 'H300'); at(plot.children[2], 'd', n > 1 ? steps : ''); at(plot.children[3], 'd', n > 1 ? line : '');
  });
}

function draw_workloads() {
  const all = sorted(state.workloads).filter(([key]) => matches(key));
  const runs = new Map();
  for (const [key, a] of sorted(state.analyses)) if (a.owner) (runs.get(a.owner) || runs.set(a.owner, []).get(a.owner)).push([key, a]);
  const judged_of = key => (runs.get(key) || []).slice(-2).flatMap(([run, a]) => a.metrics.map(m => [run + '/' + m.name, [a, m]])).reverse();
  const first = key => (judged_of(key).some(([k]) => looks[k]) ? 2 : 0) + (state.waiting[key] ? 1 : 0);
  head('workloads', Object.keys(state.workloads).length, '');
  all.sort((a, b) => first(b[0]) - first(a[0]));
  keyed($('workloads'), all.slice(0, 200), () => el('article', 'work',
    el('h3', '', el('span', 'name'), el('span', 'soft'), el('span', 'pill'), el('span', 'count')), el('div', 'bar', el('i'), el('i', 'part')),
    el('ol', 'steps'), el('ul', 'versions'), el('p', 'why'), el('div')), (card, w, key) => {
    const [title, bar, steps, versions, why, verdicts] = card.children, [name, kind, pill, count] = title.children;
    const waits = state.waiting[key];
    say(name, thing(key)[1]); say(kind, w.kind + (w.strategy ? ', ' + (w.strategy === 'canary' ? 'canary' : 'blue/green') : ''));
    say(pill, waits ? waits.reason : w.phase || 'Complete'); be(pill, 'pill ' + (waits ? waits.stuck ? 'bad' : 'wait' : 'good'));
    say(count, w.ready + '/' + w.wanted);
    count.title = w.ready + ' ready of ' + w.wanted;
    const most = Math.max(1, w.wanted, w.replicas);
    bar.children[0].style.width = 100 * w.ready / most + '%'; bar.children[1].style.width = 100 * Math.max(0, w.replicas - w.ready) / most + '%';
    steps.hidden = !(w.steps && w.steps.length);
    keyed(steps, (w.steps || []).map((s, i) => [i, s]), () => el('li'), (li, s, i) => { be(li, i < w.step ? 'past' : i === w.step && (w.phase === 'Progressing' || w.phase === 'Paused') ? 'now' : ''); say(li, s); });
    const shown = (w.versions || []).length ? w.versions : [{ version: w.version, image: w.image, ready: w.ready, replicas: w.replicas, role: '' }];
    keyed(versions, shown.map((v, i) => [i, v]), () => el('li', '', el('i'), el('span'), el('span', 'soft'), el('span', 'num')), (li, v) => {
      be(li.children[0], 'sw ' + hue(v.version)); say(li.children[1], v.version); li.children[1].title = v.image || '';
      say(li.children[2], (v.role === 'new' && shown.length < 2 ? '' : v.role) + (v.weight !== undefined ? ' · ' + v.weight + ' %' : '')); say(li.children[3], v.ready + '/' + v.replicas);
    });
    say(why, waits ? waits.message : ''); be(why, waits && waits.stuck ? 'why bad' : 'why'); why.hidden = !waits || !waits.message;
    const judged = judged_of(key);
    be(card, judged.some(([k]) => looks[k]) ? 'work wide' : 'work');
    verdicts.hidden = judged.length === 0;
    keyed(verdicts, judged, make_verdict, draw_verdict);
  });
}

function make_verdict() {
  const box = el('div', 'verdict', el('h4', '', el('span'), el('span', 'pill'), el('span', 'legend')), el('p', 'why'));
  box.append(svg('svg', { class: 'plot', viewBox: '0 0 760 170', role: 'img' }));
  return box;
}
function draw_verdict(box, [a, m], key) {
  const [title, why, plot] = box.children, [name, pill, legend] = title.children, rows = looks[key];
  const phase = m.phase || a.phase;
  say(name, m.name); say(pill, phase); be(pill, 'pill ' + (phase === 'Successful' ? 'good' : phase === 'Running' || phase === 'Pending' ? 'wait' : 'bad'));
  say(why, m.message || a.message); why.hidden = !(m.message || a.message);
  if (!rows || rows.length === 0) { plot.setAttribute('hidden', ''); say(legend, ''); return; }
  plot.removeAttribute('hidden');
  const canary = a.canary || 'canary', stable = a.stable || 'stable', hc = hue(canary), hs = canary === stable ? 'v5' : hue(stable);
  const last = rows[rows.length - 1], rate = (r, o) => r[o] > 0 ? r[o + 1] / r[o] : 0;
  keyed(legend, [['c', [canary, hc, 1]], ['s', [stable, hs, 5]]], () => el('span', '', el('i'), el('span')), (e, [version, h, o]) => {
    be(e.firstChild, 'sw ' + h); say(e.lastChild, version + ': ' + percent(rate(last, o)) + ', ' + percent(last[o + 2]) + ' to ' + percent(last[o + 3]) + ' of ' + short(last[o]));
  });
  // The latest ranges and as much around them: the first ones are as wide as the world.
  const low = Math.min(last[3], last[7]), high = Math.max(last[4], last[8]), span = Math.max(high - low, 0.002);
  const power = 10 ** Math.floor(Math.log10(3 * span / 4)), step = [1, 2, 2.5, 5, 10].find(n => n * power >= 3 * span / 5) * power;
  const bottom = Math.max(0, Math.floor((low - span) / step) * step), top = Math.min(Math.max(1, high), Math.ceil((high + span) / step) * step);
  const t0 = rows[0][0], t1 = Math.max(last[0], t0 + 1000), L = 52, T = 8, B = 146, W = Math.max(280, Math.min(1000, plot.clientWidth || 760)), R = W - 16;
  const x = t => (L + (R - L) * (t - t0) / (t1 - t0)).toFixed(1), y = v => (B - (B - T) * (Math.min(top, Math.max(bottom, v)) - bottom) / (top - bottom)).toFixed(1);
  const points = rows.length > 1 ? rows : [last, [t1, ...last.slice(1)]];
  const line = o => points.map((r, i) => (i ? 'L' : 'M') + x(r[0]) + ' ' + y(rate(r, o))).join('');
  const band = o => points.map((r, i) => (i ? 'L' : 'M') + x(r[0]) + ' ' + y(r[o + 3])).join('') + points.slice().reverse().map(r => 'L' + x(r[0]) + ' ' + y(r[o + 2])).join('') + 'z';
  at(plot, 'viewBox', '0 0 ' + W + ' 170');
  const parts = [];
  for (let v = bottom, i = 0; v < top + step / 100 && i < 12; v += step, i++) parts.push(['g' + i, ['path', 'grid', 'M' + L + ' ' + y(v) + 'H' + R]], ['y' + i, ['text', 'y', percent(v, step < 0.002 ? 2 : 1), L - 8, +y(v) + 4]]);
  parts.push(['x0', ['text', '', '0 s', L, 163]], ['x1', ['text', 'end', time((t1 - t0) / 1000), R, 163]]);
  parts.push(['bs', ['path', 'range ' + hs, band(5)]], ['bc', ['path', 'range ' + hc, band(1)]], ['ls', ['path', 'line ' + hs, line(5)]], ['lc', ['path', 'line ' + hc, line(1)]]);
  if (a.ended) parts.push(['m', ['path', 'mark', 'M' + x(last[0]) + ' ' + T + 'V' + B]]);
  keyed(plot, parts, (k, p) => svg(p[0]), (e, p) => {
    be(e, p[1]);
    if (p[0] === 'path') { at(e, 'd', p[2]); if (p[1].startsWith('line ')) e.style.fill = 'none'; } else { say(e, p[2]); at(e, 'x', p[3]); at(e, 'y', p[4]); }
  });
  at(plot, 'aria-label', m.name + ': ' + canary + ' ' + percent(rate(last, 1)) + ' against ' + stable + ' ' + percent(rate(last, 5)));
}

function draw_nodes() {
  const by_node = new Map(), homeless = [];
  for (const [key, p] of sorted(state.pods)) {
    if (!matches(key) && !matches(p.node || '') && !matches(p.owner || '')) continue;
    if (p.node) (by_node.get(p.node) || by_node.set(p.node, []).get(p.node)).push([key, p]); else homeless.push([key, p]);
  }
  const nodes = Object.entries(state.nodes).sort((a, b) => natural(a[0], b[0])).filter(([name]) => !wanted || matches(name) || by_node.has(name));
  const dense = state.totals.pods > 150 || nodes.length > 24;
  be($('nodes'), dense ? 'dense' : '');
  head('nodes', Object.keys(state.nodes).length, plural(state.totals.pods, 'pod') + (state.totals.left_out ? ', ' + state.totals.left_out + ' of them not shown' : ''));
  keyed($('keys'), [['ready', 'ready'], ['running', 'not ready'], ['starting', 'starting'], ['leaving', 'leaving'], ['failed', 'failing'], ['pending', 'pending']].filter(([k]) => dense || k === 'ready' || Object.values(state.pods).some(p => p.state === k)),
    k => el('span', 'pod ' + k, el('i'), el('span')), (e, words) => say(e.lastChild, words));
  const entries = nodes.map(([name, n]) => [name, [n, by_node.get(name) || []]]);
  if (homeless.length) entries.unshift(['', [null, homeless]]);
  keyed($('nodes'), entries, () => el('article', 'node', el('h3', '', el('span', 'name'), el('span', 'pill'), el('span', 'pill')), el('div', 'uses'), el('div', 'pods')), (card, [n, pods], name) => {
    const [title, uses, list] = card.children, [who, off, cordon] = title.children;
    say(who, n ? name : 'on no node yet');
    off.hidden = !n || n.ready; say(off, (state.waiting['Node/' + name] || {}).reason || 'NotReady'); be(off, 'pill bad');
    cordon.hidden = !n || !n.cordoned; say(cordon, 'cordoned'); be(cordon, 'pill wait');
    be(card, n && !n.ready ? 'node off' : 'node');
    uses.hidden = !n;
    if (n) keyed(uses, [['cpu', 'cpu_milli', cores], ['memory', 'memory_bytes', bytes], ['pods', 'pods', String]].flatMap(([label, what, text]) => {
      const all = n.allocatable[what], asked = n.requested[what], used = n.used ? n.used[what] : undefined;
      return [[label, [0, label]], [label + '-bar', [1, asked, used, all, (used === undefined ? '' : text(used) + ' used, ') + text(asked) + ' requested of ' + text(all) + ' ' + label]], [label + '-text', [2, text(asked) + ' / ' + text(all)]]];
    }), (k, v) => v[0] === 1 ? el('div', 'bar use', el('i'), el('i', 'used')) : el('span', v[0] === 2 ? 'num' : ''), (e, v) => {
      if (v[0] !== 1) return say(e, v[1]);
      const part = x => v[3] > 0 ? 100 * Math.min(1, number(x) / v[3]) + '%' : '0';
      e.children[0].style.width = part(v[1]); e.children[1].style.width = part(v[2]);
      be(e.children[0], v[1] > 0.9 * v[3] ? 'full' : ''); at(e, 'title', v[4]);
    });
    keyed(list, pods, make_pod, draw_chip);
  });
}
function make_pod(key) {
  const b = el('button', 'pod', el('i'), el('span', 'n'), el('span', 'w'));
  b.addEventListener('click', () => open_pod(key));
  return b;
}
function draw_chip(b, p, key) {
  be(b, 'pod ' + p.state); say(b.children[1], name_of(key)); say(b.children[2], p.state === 'ready' ? p.version || '' : p.word);
  const w = state.waiting['Pod/' + key], words = name_of(key) + ': ' + p.word + (w && w.message ? ', ' + w.message : '');
  if (b.title !== words) { b.title = words; b.setAttribute('aria-label', words); }
}

function draw_budgets() {
  const all = sorted(state.budgets).filter(([key]) => matches(key));
  head('budgets', Object.keys(state.budgets || {}).length, '');
  keyed($('budgets'), all.slice(0, 50), () => el('li', '', el('span', 'name'), el('span', 'soft'), el('span', 'pill')), (li, b, key) => {
    say(li.children[0], name_of(key)); say(li.children[1], b.healthy + ' of ' + b.pods + ' healthy, ' + b.desired + ' needed');
    say(li.children[2], b.allowed ? plural(b.allowed, 'may go', 'may go') : 'none may go'); be(li.children[2], 'pill ' + (b.healthy < b.desired ? 'bad' : b.allowed ? 'good' : 'wait'));
  });
}

function draw_events() {
  head('events', Object.keys(state.events).length, 'newest first');
  list_events($('events'), e => matches(e.object) || matches(e.reason || ''));
}
function list_events(into, which) {
  const all = Object.entries(state.events).filter(([, e]) => which(e)).sort((a, b) => b[1].at - a[1].at || (a[0] < b[0] ? -1 : 1));
  keyed(into, all, () => el('li', '', el('i', 'dot'), el('span', '', el('b'), ' ', el('span')), el('span', 'num soft'), el('p')), (li, e) => {
    const [kind, name] = thing(e.object);
    be(li.children[0], e.type === 'Warning' ? 'dot bad' : 'dot');
    say(li.children[1].children[0], e.reason); say(li.children[1].children[1], kind.toLowerCase() + ' ' + name);
    say(li.children[2], (e.count > 1 ? '×' + e.count + ' · ' : '') + ago(e.at)); say(li.children[3], e.message);
  });
}

// -- One pod ------------------------------------------------------------------------------------------
function open_pod(key) {
  shown_pod = key;
  draw_pod();
  if (!$('drawer').open) $('drawer').showModal();
  const names = state.pods[key] ? state.pods[key].containers.map(c => c.name) : [];
  $('pod-container').replaceChildren(...names.map(name => { const o = el('option'); o.textContent = o.value = name; return o; }));
  $('pod-container').hidden = names.length < 2;
  if (names.length) read_log(key, names[0]);
}
// The last lines and what comes, until another log is read or the drawer is closed; so much of it is kept.
const most_log = 200000;
let reading = null;
function stop_reading() { if (reading) reading.abort(); reading = null; }
async function read_log(key, container) {
  stop_reading();
  const mine = reading = new AbortController(), pre = $('pod-log'), note = $('log-note');
  pre.replaceChildren(document.createTextNode(''));
  say(note, 'reading');
  try {
    const answer = await fetch('logs/' + key + '?container=' + encodeURIComponent(container), { signal: mine.signal });
    if (!answer.ok) { say(note, (await answer.text()).trim()); return; }
    say(note, 'follows');
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let rest = ''; ;) {
      const { value, done } = await reader.read();
      if (done) break;
      const cut = (rest + value).lastIndexOf('\n') + 1, whole = (rest + value).slice(0, cut);
      rest = (rest + value).slice(cut);
      const below = pre.scrollHeight - pre.scrollTop - pre.clientHeight < 40, text = pre.firstChild;
      text.appendData(whole.replace(/^\d{4}-\d\d-\d\dT(\d\d:\d\d:\d\d\.\d{3})\d*Z /gm, '$1  '));
      if (text.length > 2 * most_log) text.deleteData(0, text.data.indexOf('\n', text.length - most_log) + 1);
      if (below) pre.scrollTop = pre.scrollHeight;
    }
    say(note, 'ended');
  } catch (e) { if (!mine.signal.aborted) say(note, 'not connected'); }
}
function draw_pod() {
  if (!shown_pod) return;
  const p = state.pods[shown_pod], w = state.waiting['Pod/' + shown_pod];
  say($('pod-name'), name_of(shown_pod));
  say($('pod-why'), !p ? 'gone' : w ? w.reason + (w.message ? ': ' + w.message : '') : ''); be($('pod-why'), w && w.stuck ? 'why bad' : 'why');
  list_events($('pod-events'), e => e.object === 'Pod/' + shown_pod);
  if (!p) return;
  const facts = [['State', p.word + ', ' + p.ready + ' of ' + p.containers.length + ' ready' + (p.restarts ? ', ' + plural(p.restarts, 'restart') : '')], ['Node', p.node || 'none yet'], ['Address', p.ip || 'none yet'], ['Made by', p.owner ? thing(p.owner).join(' ') : 'nobody'],
    ['Requests', cores(p.cpu_milli) + ' cpu, ' + bytes(p.memory_bytes)], ...(p.used ? [['Uses', cores(p.used.cpu_milli) + ' cpu, ' + bytes(p.used.memory_bytes)]] : []), ['Age', p.since ? ago(p.since) : ''], ...p.containers.map(c => [c.name, c.image])];
  keyed($('pod-facts'), facts.flatMap(([k, v], i) => [[i + 'k', k], [i + 'v', v]]), k => el(k.endsWith('k') ? 'dt' : 'dd'), (e, v) => say(e, v));
}
$('drawer').addEventListener('close', () => { shown_pod = null; stop_reading(); });
$('pod-container').addEventListener('change', e => { if (shown_pod) read_log(shown_pod, e.target.value); });
$('drawer').addEventListener('click', e => { if (e.target === $('drawer')) $('drawer').close(); });
$('drawer').querySelector('.close').addEventListener('click', () => $('drawer').close());
addEventListener('resize', draw_soon);
$('filter').addEventListener('input', e => { wanted = e.target.value.trim().toLowerCase(); draw_soon(); });
document.addEventListener('keydown', e => { if (e.key === '/' && document.activeElement !== $('filter') && !$('drawer').open) { e.preventDefault(); $('filter').focus(); } });
listen();
)page";

}  // namespace detail

/// The document; script and style carry the nonce, without which a browser is to run neither.
[[nodiscard]] inline std::string dashboard_page(std::string_view nonce)
{
    std::string out =
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
        "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>podium</title>"
        "<link rel=\"icon\" href=\"data:,\"><style nonce=\"";
    ((out += nonce) += "\">") += detail::page_style;
    (out += "</style></head><body>") += detail::page_body;
    (((out += "<script nonce=\"") += nonce) += "\">") += detail::page_script;
    return out += "</script></body></html>\n";
}

}  // namespace podium::v0::cluster
