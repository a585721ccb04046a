/** Dates and times ↔ their messages. */

import type {
  DateMessage,
  DateTime as DateTimeMessage,
  TimeDelta as TimeDeltaMessage,
  TimeOfDay as TimeOfDayMessage,
  TimeZone as TimeZoneMessage,
} from "../../gen/callgate/v1/value.js";
import { Misfit } from "./limits.js";
import { CalendarDate, DateTime, TimeDelta, TimeOfDay, TimeZone } from "./temporal.js";

/** The message of a span. */
export function deltaMessage({ days, seconds, microseconds }: TimeDelta): TimeDeltaMessage {
  return { days, seconds, microseconds };
}

/** The message of a day. */
export function dateMessage({ year, month, day }: CalendarDate): DateMessage {
  return { year, month, day };
}

/** The message of a time of day. */
export function timeMessage({ hour, minute, second, microsecond, zone, fold }: TimeOfDay): TimeOfDayMessage {
  return { hour, minute, second, microsecond, fold, timeZone: zone && zoneMessage(zone) };
}

function zoneMessage({ utcOffset, key, name }: TimeZone): TimeZoneMessage {
  return { utcOffset: utcOffset && deltaMessage(utcOffset), key, name };
}

/** The message of a date and time. */
export function datetimeMessage({ date, time }: DateTime): DateTimeMessage {
  return { date: dateMessage(date), time: timeMessage(time) };
}

function refused<T>(what: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (error instanceof Misfit) throw error;
    throw new Misfit(`${what}: ${(error as Error).message}`);
  }
}

/** The span of a message. */
export function readDelta({ days, seconds, microseconds }: TimeDeltaMessage): TimeDelta {
  return refused("no such timedelta", () => new TimeDelta(days, seconds, microseconds));
}

/** The day of a message. */
export function readDate(message: DateMessage | undefined): CalendarDate {
  return refused("no such date", () => new CalendarDate(message?.year ?? 0, message?.month ?? 0, message?.day ?? 0));
}

/** The time of day of a message; none is midnight. */
export function readTime(message: TimeOfDayMessage | undefined): TimeOfDay {
  if (!message) return new TimeOfDay();
  const { hour, minute, second, microsecond, fold, timeZone } = message;
  const zone = timeZone && readZone(timeZone);
  return refused("no such time", () => new TimeOfDay(hour, minute, second, microsecond, zone, fold));
}

/** The date and time of a message. */
export function readDateTime({ date, time }: DateTimeMessage): DateTime {
  return new DateTime(readDate(date), readTime(time));
}

function readZone({ utcOffset, key, name }: TimeZoneMessage): TimeZone {
  // Python's own reading: an offset that is left out is zero, a key's name is the key.
  const offset = utcOffset ? readDelta(utcOffset) : key ? undefined : new TimeDelta();
  return refused("a time zone", () => new TimeZone(offset, key, key ? "" : name));
}
