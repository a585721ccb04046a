/**
 * Python's dates and times. JavaScript's Date holds neither microseconds, nor a time zone, nor a day or time alone; Node
 * 20 has no Temporal. Their texts are ISO 8601, as Temporal reads it: `Temporal.PlainDate.from(String(date))`.
 */

const MICROSECONDS_A_DAY = 86_400_000_000n;
const MOST_DAYS = 999_999_999;
// A key of the IANA database: what a file below a zoneinfo directory may be called, and nothing that leaves it.
const ZONE_KEY = /^(?=.{1,64}$)[A-Za-z0-9][A-Za-z0-9_+-]*(?:\/[A-Za-z0-9][A-Za-z0-9_+-]*){0,3}$/;

function within(what: string, value: number, low: number, high: number): void {
  if (!Number.isInteger(value) || value < low || value > high) {
    throw new RangeError(`${what} is ${String(value)}; ${String(low)} to ${String(high)} is right`);
  }
}

function digits(value: number, width = 2): string {
  return String(value).padStart(width, "0");
}

/** A span of time, normalized as datetime.timedelta does: only days may be negative. */
export class TimeDelta {
  /** -999,999,999 to 999,999,999. */
  readonly days: number;
  /** 0 to 86,399. */
  readonly seconds: number;
  /** 0 to 999,999. */
  readonly microseconds: number;

  constructor(days = 0, seconds = 0, microseconds = 0) {
    const total = BigInt(days) * MICROSECONDS_A_DAY + BigInt(seconds) * 1_000_000n + BigInt(microseconds);
    const rest = ((total % MICROSECONDS_A_DAY) + MICROSECONDS_A_DAY) % MICROSECONDS_A_DAY;
    this.days = Number((total - rest) / MICROSECONDS_A_DAY);
    this.seconds = Number(rest / 1_000_000n);
    this.microseconds = Number(rest % 1_000_000n);
    if (Math.abs(this.days) > MOST_DAYS) throw new RangeError("a timedelta is beyond 999,999,999 days");
  }

  /** The span of so many milliseconds, to the microsecond. */
  static fromMilliseconds(milliseconds: number): TimeDelta {
    return new TimeDelta(0, 0, Math.round(milliseconds * 1000));
  }

  /** All of it in milliseconds; beyond 285 years not to the microsecond. */
  get milliseconds(): number {
    return (this.days * 86_400 + this.seconds) * 1000 + this.microseconds / 1000;
  }

  /** As an ISO 8601 duration: "P1DT2.5S", "-PT1S". */
  toString(): string {
    const total = BigInt(this.days) * MICROSECONDS_A_DAY + BigInt(this.seconds) * 1_000_000n + BigInt(this.microseconds);
    const size = total < 0n ? -total : total;
    const days = size / MICROSECONDS_A_DAY;
    const seconds = (size % MICROSECONDS_A_DAY) / 1_000_000n;
    const micros = size % 1_000_000n;
    const fraction = micros ? `.${String(micros).padStart(6, "0").replace(/0+$/, "")}` : "";
    const time = seconds || micros || !days ? `T${String(seconds)}${fraction}S` : "";
    return `${total < 0n ? "-" : ""}P${days ? `${String(days)}D` : ""}${time}`;
  }
}

/** A time zone: a fixed offset, or a key of the IANA database with the offset that held. */
export class TimeZone {
  /** UTC. */
  static readonly utc = new TimeZone(new TimeDelta());

  constructor(
    /** The offset from UTC; undefined only for a time of day in a zone with a key, whose offset depends on the day. */
    readonly utcOffset: TimeDelta | undefined,
    /** The IANA key ("Europe/Paris"); "" for a fixed offset. */
    readonly key = "",
    /** The name of a fixed offset that was given one, else "". */
    readonly name = "",
  ) {
    if (key && !ZONE_KEY.test(key)) {
      throw new RangeError(`${JSON.stringify(key.slice(0, 80))} is no key of the IANA time zone database`);
    }
    if (!key && !utcOffset) throw new RangeError("a time zone has a UTC offset or a key");
    if (utcOffset && (utcOffset.days < -1 || utcOffset.days > 0 || isWholeDay(utcOffset))) {
      throw new RangeError("a time zone's offset is less than a day");
    }
  }

  /** As ISO 8601 with the key as Temporal writes it: "+01:00[Europe/Paris]", "Z". */
  toString(): string {
    const key = this.key ? `[${this.key}]` : "";
    if (!this.utcOffset) return key;
    const seconds = this.utcOffset.days * 86_400 + this.utcOffset.seconds;
    if (seconds === 0 && !this.utcOffset.microseconds) return `${key ? "+00:00" : "Z"}${key}`;
    const size = Math.abs(seconds);
    const rest = size % 60 ? `:${digits(size % 60)}` : "";
    return `${seconds < 0 ? "-" : "+"}${digits(Math.floor(size / 3600))}:${digits(Math.floor(size / 60) % 60)}${rest}${key}`;
  }
}

function isWholeDay(offset: TimeDelta): boolean {
  return offset.days === -1 && offset.seconds === 0 && offset.microseconds === 0;
}

/** A day of the Gregorian calendar (datetime.date). */
export class CalendarDate {
  constructor(
    /** 1 to 9999. */
    readonly year: number,
    /** 1 to 12. */
    readonly month: number,
    /** 1 to 31. */
    readonly day: number,
  ) {
    within("year", year, 1, 9999);
    within("month", month, 1, 12);
    const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
    const days = month === 2 ? (leap ? 29 : 28) : [4, 6, 9, 11].includes(month) ? 30 : 31;
    within("day", day, 1, days);
  }

  /** As ISO 8601: "2024-02-29". */
  toString(): string {
    return `${digits(this.year, 4)}-${digits(this.month)}-${digits(this.day)}`;
  }

  /** As ISO 8601, for JSON. */
  toJSON(): string {
    return this.toString();
  }
}

/** A time of day (datetime.time), naive or aware. */
export class TimeOfDay {
  constructor(
    /** 0 to 23. */
    readonly hour = 0,
    /** 0 to 59. */
    readonly minute = 0,
    /** 0 to 59. */
    readonly second = 0,
    /** 0 to 999,999. */
    readonly microsecond = 0,
    /** Undefined for a naive time. */
    readonly zone?: TimeZone,
    /** True for the second of two equal wall-clock times (PEP 495). */
    readonly fold = false,
  ) {
    within("hour", hour, 0, 23);
    within("minute", minute, 0, 59);
    within("second", second, 0, 59);
    within("microsecond", microsecond, 0, 999_999);
  }

  /** As ISO 8601: "12:30:00.000001Z". */
  toString(): string {
    const fraction = this.microsecond ? `.${digits(this.microsecond, 6)}` : "";
    const zone = this.zone ? String(this.zone) : "";
    return `${digits(this.hour)}:${digits(this.minute)}:${digits(this.second)}${fraction}${zone}`;
  }

  /** As ISO 8601, for JSON. */
  toJSON(): string {
    return this.toString();
  }
}

/** A date and a time of day (datetime.datetime), naive or aware. */
export class DateTime {
  constructor(
    /** The day. */
    readonly date: CalendarDate,
    /** The time; its zone is the datetime's. */
    readonly time: TimeOfDay = new TimeOfDay(),
  ) {}

  /** A Date as an aware datetime in UTC. */
  static fromDate(date: Date): DateTime {
    if (Number.isNaN(date.getTime())) throw new RangeError("this Date is no valid date");
    return new DateTime(
      new CalendarDate(date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate()),
      new TimeOfDay(
        date.getUTCHours(),
        date.getUTCMinutes(),
        date.getUTCSeconds(),
        date.getUTCMilliseconds() * 1000,
        TimeZone.utc,
      ),
    );
  }

  /** The moment as a Date, to the millisecond; throws for a naive one, which is no moment. */
  toDate(): Date {
    const offset = this.time.zone?.utcOffset;
    if (!offset) throw new TypeError(`${String(this)} is naive: without a time zone it is no moment`);
    const { date, time } = this;
    const made = new Date(0);
    made.setUTCFullYear(date.year, date.month - 1, date.day); // Date.UTC takes years below 100 for 1900 and later
    made.setUTCHours(time.hour, time.minute, time.second, 0);
    return new Date(made.getTime() + Math.floor(time.microsecond / 1000 - offset.milliseconds));
  }

  /** As ISO 8601: "2024-10-27T02:30:00+01:00[Europe/Paris]". */
  toString(): string {
    return `${String(this.date)}T${String(this.time)}`;
  }

  /** As ISO 8601, for JSON. */
  toJSON(): string {
    return this.toString();
  }
}
