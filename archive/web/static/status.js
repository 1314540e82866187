/* Status: copying addresses, and moments in the time of whoever looks. */

import { copyButtons } from "./copy.js";

copyButtons(document.getElementById("said"));

for (const each of document.querySelectorAll("time[data-local]")) {
  each.textContent = new Date(each.dateTime).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
}
