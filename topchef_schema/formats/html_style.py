"""The looks of the HTML report: for a desk, a phone and paper, in light and dark."""

STYLE = """\
:root {
  color-scheme: light dark;
  --back: #fff; --raised: #f6f7f9; --line: #d7dbe0; --text: #1c2128; --soft: #59636e;
  --bad: #b3261e; --bad-back: #fdecea; --warn: #8a5a00; --warn-back: #fff4dc;
  --good: #1a6b35; --good-back: #e9f6ec; --mark: #ffe08a;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --back: #14171c; --raised: #1d2229; --line: #39414c; --text: #e6e9ee; --soft: #a3adba;
    --bad: #ff9c94; --bad-back: #3d1b1a; --warn: #f3c268; --warn-back: #352a12;
    --good: #84d69b; --good-back: #14301d; --mark: #6b5200;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 1.5rem; max-width: 80rem; background: var(--back);
  color: var(--text); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere;
}
h1 { margin: 0; font-size: 1.5rem; line-height: 1.25; }
h2 { margin: 2.5rem 0 .75rem; font-size: 1.15rem; }
h3 { margin: 0 0 .5rem; font-size: 1rem; }
p { margin: .25rem 0; }
.soft, dt { color: var(--soft); }
code, pre { font: .875em/1.5 ui-monospace, "DejaVu Sans Mono", monospace; }
code, pre { white-space: pre-wrap; tab-size: 4; }
pre { margin: .5rem 0 0; padding: .75rem; background: var(--raised); border-radius: .375rem; }
mark { background: var(--mark); color: inherit; border-radius: .125rem; }
.sum { font-size: 1.125rem; }
.wide { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; }
th, td { padding: .5rem .75rem; border-bottom: 1px solid var(--line); text-align: left; }
th, td { vertical-align: top; overflow-wrap: normal; }
thead th { color: var(--soft); font-size: .875rem; font-weight: 600; white-space: nowrap; }
tbody th { font-weight: 400; }
td { min-width: 10rem; }
td.checked { min-width: 7rem; }
summary { cursor: pointer; }
summary:focus-visible { outline: 2px solid currentcolor; outline-offset: 2px; }
.badge { display: inline-block; padding: 0 .5rem; border-radius: .75rem; white-space: nowrap; }
.badge, summary .badge { font-size: .875rem; font-weight: 600; }
.bad { color: var(--bad); background: var(--bad-back); }
.warn { color: var(--warn); background: var(--warn-back); }
.good { color: var(--good); background: var(--good-back); }
.none { color: var(--soft); background: var(--raised); }
details .finding { margin: .75rem 0 .25rem; min-width: 16rem; }
article { margin: 0 0 1rem; padding: 1rem; border: 1px solid var(--line); border-radius: .5rem; }
article.bad-edge { border-left: .25rem solid var(--bad); }
article.warn-edge { border-left: .25rem solid var(--warn); }
.finding + .finding { margin-top: 1rem; padding-top: 1rem; border-top: 1px solid var(--line); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .125rem .75rem; }
dl { margin: .5rem 0 0; }
dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
.filter { display: inline-flex; gap: .5rem; align-items: center; padding: .25rem 0; }
body:has(#unclean:checked) tr.clean { display: none; }
@media (max-width: 40rem) {
  body { padding: 1rem; }
  thead { display: none; }
  table, tbody, tr, th, td { display: block; }
  tr { margin: 0 0 1rem; padding: .5rem .75rem; border: 1px solid var(--line); }
  tr { border-radius: .5rem; }
  th, td { padding: .25rem 0; border: 0; overflow-wrap: anywhere; }
  [data-name] { display: grid; grid-template-columns: 6rem 1fr; gap: .5rem; }
  [data-name]:has(details[open]) { display: block; }
  [data-name]::before { content: attr(data-name); color: var(--soft); font-size: .875rem; }
  .badge { justify-self: start; }
  details .finding { min-width: 0; }
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: .375rem; }
}
@media print {
  body { padding: 0; max-width: none; font-size: 10pt; }
  .filter, td .finding { display: none; }
  .wide { overflow: visible; }
  td, td.checked, th { min-width: 0; padding: .2rem .3rem; }
  td, td.checked { overflow-wrap: anywhere; }
  .badge, summary .badge { border: 1px solid currentcolor; font-size: 8pt; white-space: normal; }
  summary { list-style: none; }
  tr, article { break-inside: avoid; }
}
"""
