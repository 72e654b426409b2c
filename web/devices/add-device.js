/** A new device: what it is, its serial, its name; then its certificate and key, the one time that they are shown. */
import { html, useEffect, useState } from "../html.js";
import { addDevice, all, issueCertificate } from "../api/act.js";
import { Choice, Field } from "../components/field.js";
import { Drawer } from "../components/drawer.js";
import { sayProblem } from "../components/state-panel.js";
import { session } from "../feed/state.js";
import { t } from "../i18n/words.js";
import { set } from "../router.js";
import { CertificateFiles } from "./certificate-files.js";

export function AddDevice({ close, added }) {
  const [profiles, setProfiles] = useState([]),
    [form, setForm] = useState({ profile: "", serial: "", label: "", care_unit: "", ordered: false }),
    [made, setMade] = useState(null),
    [said, say] = useState(""),
    [busy, setBusy] = useState(false);
  useEffect(() => {
    all("/profiles").then((list) => { setProfiles(list); setForm((f) => ({ ...f, profile: f.profile || (list[0]?.name ?? "") })); }, (problem) => say(sayProblem(problem)));
  }, []);
  const [units, setUnits] = useState(session.value.care_units ?? []);
  useEffect(() => {
    all("/care-units").then(setUnits, () => {});
  }, []);
  const typed = (name) => (event) => setForm({ ...form, [name]: event.target.value });
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    say("");
    try {
      const device = await addDevice({ profile: form.profile, serial: form.serial.trim(), label: form.label.trim(), ...(form.care_unit ? { care_unit: form.care_unit } : {}), ordered: form.ordered });
      setMade({ device, files: await issueCertificate(device.id) });
      added();
    } catch (problem) {
      say(sayProblem(problem));
    }
    setBusy(false);
  };
  if (made) {
    return html`<${Drawer} id="made" title=${t("devices.added", { label: made.device.label })} sub=${t("devices.added_text")} close=${close}>
      <${CertificateFiles} device=${made.device} files=${made.files} />
      <div><button type="button" onClick=${() => set({ open: made.device.id })}>${t("devices.to_device")}</button></div>
    </${Drawer}>`;
  }
  return html`<${Drawer} id="new" title=${t("devices.add")} sub=${t("devices.add_text")} close=${close}>
    <form class="stack" onSubmit=${submit} aria-label=${t("devices.add")}>
      <${Choice} label=${t("devices.profile")} value=${form.profile} options=${profiles.map((p) => [p.name, p.title])} act=${(profile) => setForm({ ...form, profile })} required />
      <${Field} label=${t("devices.serial")}><input name="serial" value=${form.serial} onInput=${typed("serial")} required maxlength="64" /></${Field}>
      <${Field} label=${t("devices.label")}><input name="label" value=${form.label} onInput=${typed("label")} required maxlength="64" /></${Field}>
      <${Choice} label=${t("devices.care_unit")} value=${form.care_unit} options=${[["", t("devices.nowhere")], ...units.map((u) => [u.id, u.name])]} act=${(care_unit) => setForm({ ...form, care_unit })} />
      <label class="row"><input type="checkbox" name="ordered" class="tick-box" checked=${form.ordered} onChange=${(e) => setForm({ ...form, ordered: e.target.checked })} /><span>${t("devices.only_ordered")}</span></label>
      <div class="row wrap"><button class="primary" type="submit" disabled=${busy || !form.profile}>${t("devices.add_act")}</button><span class="small" role="alert">${said}</span></div>
    </form>
  </${Drawer}>`;
}
