"""The style of the documents: text first, light and dark, from 390 pixels to paper.

Stands in the page itself, because a document loads nothing. The words of archive/rendering/html.py use it.
"""

from markupsafe import Markup

STYLE = Markup(
    """
:root{color-scheme:light dark;--back:#fff;--panel:#f4f6f8;--text:#1a1f24;--soft:#535d68;
 --line:#d3d9df;--accent:#0a5aa8;--warn:#8a4b00;--warnback:#fff4e2}
@media(prefers-color-scheme:dark){
:root{--back:#14181c;--panel:#1d2329;--text:#e7ebef;--soft:#a9b4bf;--line:#39424b;--accent:#86bdf5;
 --warn:#ffc97a;--warnback:#3a2a10}
}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--text);font:16px/1.5 system-ui,-apple-system,
 "Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;overflow-wrap:anywhere}
header,main,footer{max-width:64rem;margin:0 auto;padding:0 1.25rem}
.wide main,.wide header,.wide footer{max-width:84rem}
.band{background:var(--panel);border-bottom:1px solid var(--line);padding:.75rem 0}
.patient{font-size:1.125rem;margin:0}
.patient b{margin-right:.75rem}
.patient span{margin-right:.75rem;white-space:nowrap}
.band dl{margin:.25rem 0 0}
main{padding-top:1rem;padding-bottom:2rem}
h1{font-size:1.5rem;line-height:1.25;margin:.25rem 0 .75rem}
h2{font-size:1.2rem;margin:1.5rem 0 .5rem;line-height:1.3}
h3{font-size:1.05rem;margin:1rem 0 .25rem}
h4,h5,h6{font-size:1rem;margin:.75rem 0 .25rem}
a{color:var(--accent)}
a:focus-visible,summary:focus-visible,.scroll:focus-visible{outline:2px solid var(--accent);
 outline-offset:2px}
.soft{color:var(--soft)}
.small{font-size:.875rem}
.mono{font-family:ui-monospace,Menlo,Consolas,monospace;font-size:.8125rem}
.facts{display:flex;flex-wrap:wrap;gap:.125rem 1.5rem;margin:0 0 .75rem}
.facts div{display:flex;gap:.4rem}
.facts dt{color:var(--soft);white-space:nowrap}
.facts dd{margin:0}
.note{border-left:4px solid var(--warn);background:var(--warnback);padding:.5rem .75rem;
 margin:.75rem 0}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;margin:.5rem 0 1rem}
caption{text-align:left;font-weight:600;padding:.25rem 0}
th,td{overflow-wrap:break-word;text-align:left;vertical-align:top;padding:.3rem .6rem;
 border-bottom:1px solid var(--line)}
.attributes th,.attributes td{overflow-wrap:anywhere}
thead th{color:var(--soft);font-weight:600;border-bottom:2px solid var(--line)}
td.number,th.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
th[scope=row]{font-weight:400}
.swatch{display:inline-block;width:1em;height:1em;border:1px solid var(--soft);border-radius:2px;
 vertical-align:-.15em;margin-right:.4em}
ul.tree,ul.tree ul{list-style:none;margin:0;padding:0}
ul.tree ul{padding-left:1rem;border-left:2px solid var(--line);margin:.125rem 0 .375rem}
ul.tree li.group>ul{border-left:0;padding-left:0}
ul.tree li.group li.group{margin-left:.75rem}
ul.tree li.bare{display:inline-block;margin-right:1.25rem}
.row{display:grid;grid-template-columns:minmax(8rem,17rem) 1fr;gap:.125rem 1rem;padding:.2rem 0}
.row.block{display:block}
.row .name{color:var(--soft)}
.row.block .name{font-weight:600;color:var(--text)}
.row .value{white-space:pre-line}
.row.measure .value{font-weight:600;font-variant-numeric:tabular-nums}
.row:target,li:target{background:var(--warnback)}
.mod{display:inline-block;color:var(--soft);font-weight:400;font-size:.875rem;margin-left:.5rem}
.relation{color:var(--soft);font-style:italic;font-size:.875rem}
details{margin:.25rem 0}
summary{cursor:pointer}
details>table{margin-left:.5rem;width:calc(100% - .5rem)}
.attributes summary{padding:.1rem 0}
.attributes th{width:42%}
.attributes th .mono{margin-left:.5rem;white-space:nowrap}
.attributes .value{white-space:pre-line}
.picture{min-width:56rem;display:block;width:100%;height:auto}
.narrative table{width:auto;min-width:50%}
.narrative th,.narrative td{border:1px solid var(--line)}
.narrative li.caption{list-style:none;margin-left:-1.25rem;font-weight:600}
.narrative img{max-width:100%}
footer{border-top:1px solid var(--line);padding-top:.5rem;padding-bottom:1.5rem;color:var(--soft);
 font-size:.8125rem}
@media(max-width:40rem){
th,td{overflow-wrap:anywhere}
header,main,footer{padding-left:.75rem;padding-right:.75rem}
.row{grid-template-columns:1fr;gap:0;padding:.3rem 0}
ul.tree ul{padding-left:.6rem}
table.cards thead{position:absolute;clip-path:inset(50%);width:1px;height:1px;overflow:hidden}
table.cards tr{display:block;border:1px solid var(--line);border-radius:6px;margin:.5rem 0;
 padding:.25rem 0}
table.cards td,table.cards th{display:grid;grid-template-columns:42% 1fr;gap:.5rem;border:0;
 text-align:left;white-space:normal}
table.cards td::before,table.cards th[scope=row]::before{content:attr(data-name);color:var(--soft)}
table.cards td:empty{display:none}
.attributes th{width:45%}
}
@media print{
:root{--back:#fff;--panel:#fff;--text:#000;--soft:#444;--line:#999;--accent:#000;--warn:#000;
 --warnback:#fff}
body{font-size:10.5pt}
header,main,footer{max-width:none;padding:0}
.row,tr,li.leaf{break-inside:avoid}
h1,h2,h3,h4{break-after:avoid}
a{text-decoration:none}
.picture{min-width:0}
.scroll{overflow:visible}
}
"""
)
