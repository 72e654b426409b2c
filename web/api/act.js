/** What people do: one function for each deed, named as the ward names it. Each gives the server's answer or throws its problem. */
import { get, post, put, query, remove } from "./http.js";

export const signIn = (login, password) => post("/session", { login, password });
export const signInDemo = (login) => post(`/demo-sign-in/${encodeURIComponent(login)}`);
export const signOut = () => remove("/session");
export const acceptInvitation = (token, password) => post(`/invitations/${encodeURIComponent(token)}`, { password });

/** Quiet for a time in seconds; the alarm sounds again unless it is over. */
export const acknowledge = (alarm, seconds) => post(`/alarms/${alarm}/acknowledge`, { quiet_for_s: seconds });
export const endAlarm = (alarm, reason, words) => post(`/alarms/${alarm}/end`, { reason, words });

export const chart = (patient, observed) => post(`/patients/${patient}/chart`, observed);
export const setLimits = (patient, vital, limits) => put(`/patients/${patient}/limits/${vital}`, limits);
export const setScale = (patient, scale) => put(`/patients/${patient}/spo2-scale`, { scale });
export const setNurse = (bed, staff) => post(`/posts/bed/${bed}`, { staff });

export const addDevice = (device) => post("/devices", device);
export const issueCertificate = (device) => post(`/devices/${device}/certificate`);
export const revoke = (device, certificate) => remove(`/devices/${device}/certificates/${certificate}`);
export const associate = (device, patient) => post(`/devices/${device}/association`, { patient });
export const setLifecycle = (device, state) => put(`/devices/${device}/lifecycle`, { state });

/** Every page of a list, up to `most` items. */
export async function all(path, values = {}, most = 1000) {
  const items = [];
  let cursor = null;
  do {
    const page = await get(`${path}${query({ ...values, limit: 200, cursor })}`);
    items.push(...page.items);
    cursor = page.next;
  } while (cursor && items.length < most);
  return items;
}
