/** Taking an alarm, and giving it back when it was taken by mistake: both are deeds that the journal keeps. */
import * as act from "../api/act.js";
import { takeAlarms } from "../feed/state.js";
import { t } from "../i18n/words.js";
import { undoable } from "../shell/undo.js";

/** An answer that lasts as short as there is: the alarm sounds again at once, and everybody is told from the beginning. */
const AT_ONCE_S = 1;

/** Quiet for so many seconds. An alarm that nobody had can be given back for a while. */
export async function answer(alarm, seconds) {
  const taken = await act.acknowledge(alarm.id, seconds);
  takeAlarms([taken]);
  if (alarm.state !== "active" || taken.state !== "acknowledged") return;
  undoable(t("undo.took", { title: alarm.title, bed: alarm.bed_name ?? "" }), async () => takeAlarms([await act.acknowledge(alarm.id, AT_ONCE_S)]), t("undo.given_back"));
}
