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

/** The devices named come off them at that moment; whoever is meant to leave is named, so that nobody else does. */
export const putInBed = (bed, patient, take_off) => post(`/beds/${bed}/patient`, { patient, take_off });
export const emptyBed = (bed, leaves, take_off) => post(`/beds/${bed}/patient`, { patient: null, leaves, take_off });

export const addDevice = (device) => post("/devices", device);
export const issueCertificate = (device) => post(`/devices/${device}/certificate`);
export const revoke = (device, certificate) => remove(`/devices/${device}/certificates/${certificate}`);
export const associate = (device, patient) => post(`/devices/${device}/association`, { patient });
export const setLifecycle = (device, state, why) => put(`/devices/${device}/lifecycle`, { state, ...(why ? { why } : {}) });
export const bind = (device, gateway) => put(`/devices/${device}/gateway`, { gateway });
export const configure = (device, wish) => put(`/devices/${device}/configuration`, wish);
export const replay = (letter) => post(`/dead-letters/${letter}/replay`);

/** Both go on by themselves; the system page shows how far they are. */
export const backUp = () => post("/system/backup");
export const rehearse = () => post("/system/rehearsal");

export const setCharge = (unit, staff) => post(`/posts/charge/${unit}`, { staff });
export const offerHandOver = (unit, to, posts) => post(`/care-units/${unit}/hand-overs`, { to, posts });
export const acceptHandOver = (id) => post(`/hand-overs/${id}/acceptance`);
export const endHandOver = (id) => remove(`/hand-overs/${id}`);
export const addPlace = (kind, place) => post(`/${kind}`, place);
export const renamePlace = (kind, id, name) => put(`/${kind}/${id}`, { name });
export const addUser = (user) => post("/users", user);
export const changeUser = (id, change) => put(`/users/${id}`, change);
export const inviteAgain = (id) => post(`/users/${id}/invitation`);
export const invitePatient = (patient) => post(`/patients/${patient}/login`, {});
export const openInEmergency = (patient, reason, words) => post(`/patients/${patient}/emergency`, { reason, words });
export const reviewEmergency = (id) => post(`/emergencies/${id}/review`);
export const planDose = (patient, words, due) => put(`/patients/${patient}/next-dose`, { words, due_at: due });
export const clearDose = (patient) => remove(`/patients/${patient}/next-dose`);
export const setUnitLimits = (unit, vital, band, limits) => put(`/care-units/${unit}/limits/${vital}${query({ band })}`, limits);
export const clearUnitLimits = (unit, vital, band) => remove(`/care-units/${unit}/limits/${vital}${query({ band })}`);
export const clearLimits = (patient, vital) => remove(`/patients/${patient}/limits/${vital}`);
export const share = (name, days) => post("/own/shares", { name, days });
export const endShare = (id) => remove(`/own/shares/${id}`);
export const feel = (feeling, words) => post("/own/feeling", { feeling, words });

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
