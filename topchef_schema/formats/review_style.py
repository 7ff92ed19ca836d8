"""The looks of a review, beside those of every page: two columns, and SQL in colours."""

STYLE = """\
:root { --key: #7b2d8b; --string: #1a6b35; --number: #9a4b00; --comment: #59636e; }
@media screen and (prefers-color-scheme: dark) {
  :root { --key: #d6a2e8; --string: #84d69b; --number: #f0b37a; --comment: #a3adba; }
}
.k { color: var(--key); }
.s { color: var(--string); }
.n { color: var(--number); }
.c { color: var(--comment); }
a { color: inherit; }
nav ol { margin: 0; padding-left: 1.5rem; columns: 2; column-gap: 2rem; }
nav li { break-inside: avoid; }
.two { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 0 1.5rem; }
.two > * { min-width: 0; }
section > .two { margin-top: 1rem; }
.commands code { display: block; white-space: pre; overflow-x: auto; }
.two h4, section h4 { margin: 1rem 0 .25rem; font-size: .875rem; color: var(--soft); }
.statement { margin: 0 0 1rem; }
.statement pre { margin: .25rem 0; }
.where { font-size: .875rem; color: var(--soft); }
.locks { font-size: .875rem; }
.risks { margin: .25rem 0; padding: 0; list-style: none; font-size: .875rem; }
.risks li { padding: .125rem .5rem; border-left: .25rem solid var(--warn); }
.risks li { background: var(--warn-back); color: var(--warn); }
.risks li + li { margin-top: .25rem; }
.checklist { padding: 0; list-style: none; }
.checklist label { display: flex; gap: .5rem; padding: .25rem 0; align-items: baseline; }
.changes td, .changes th { min-width: 0; width: 33%; overflow-wrap: anywhere; }
.whole pre { max-height: 40rem; overflow: auto; }
.why { white-space: pre-wrap; }
@media (max-width: 40rem) {
  nav ol { columns: 1; }
  .two { grid-template-columns: minmax(0, 1fr); }
  .changes td, .changes th { width: auto; }
}
@media print {
  .two { gap: 0 1rem; }
  .statement, .checklist li { break-inside: avoid; }
  h2, h3, h4 { break-after: avoid; }
  .whole { display: none; }
  .risks li { border: 1px solid currentcolor; border-left-width: .25rem; }
}
"""
