package callgate

import (
	"fmt"
	"regexp"
	"time"
)

// Date is a Python datetime.date: a day of the proleptic Gregorian calendar, of the years 1 to 9999.
type Date struct {
	Year, Month, Day int
}

// String returns the date as "2024-02-29".
func (d Date) String() string { return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day) }

// TimeDelta is a Python datetime.timedelta, normalized as Python does: only Days may be negative.
type TimeDelta struct {
	Days, Seconds, Microseconds int
}

// Duration returns the span as a time.Duration, and whether it fits: up to about 292 years.
func (d TimeDelta) Duration() (time.Duration, bool) {
	const mostDays = 106_751
	if d.Days > mostDays-1 || d.Days < -mostDays {
		return 0, false
	}
	return time.Duration(d.Days)*24*time.Hour + time.Duration(d.Seconds)*time.Second +
		time.Duration(d.Microseconds)*time.Microsecond, true
}

// String returns the span as str(timedelta) does: "-1 day, 23:59:59", "0:00:01.500000".
func (d TimeDelta) String() string {
	text := fmt.Sprintf("%d:%02d:%02d", d.Seconds/3600, d.Seconds/60%60, d.Seconds%60)
	if d.Microseconds != 0 {
		text += fmt.Sprintf(".%06d", d.Microseconds)
	}
	switch d.Days {
	case 0:
		return text
	case 1, -1:
		return fmt.Sprintf("%d day, %s", d.Days, text)
	default:
		return fmt.Sprintf("%d days, %s", d.Days, text)
	}
}

// timeDeltaOf makes a normalized TimeDelta; what is finer than a microsecond, Python's finest, is cut towards the past.
func timeDeltaOf(d time.Duration) TimeDelta {
	micros := d.Microseconds()
	if d < 0 && d%time.Microsecond != 0 {
		micros--
	}
	return normalized(0, 0, micros)
}

// normalized carries microseconds to seconds and seconds to days.
func normalized(days, seconds, micros int64) TimeDelta {
	seconds, micros = seconds+floorDiv(micros, 1_000_000), floorMod(micros, 1_000_000)
	days, seconds = days+floorDiv(seconds, 86_400), floorMod(seconds, 86_400)
	return TimeDelta{int(days), int(seconds), int(micros)}
}

func floorDiv(a, b int64) int64 {
	if a%b < 0 {
		return a/b - 1
	}
	return a / b
}

func floorMod(a, b int64) int64 {
	return a - floorDiv(a, b)*b
}

// Zone is the time zone that an aware time or datetime carries. The zero Zone is UTC.
type Zone struct {
	// Offset is the offset from UTC that held for the value.
	Offset TimeDelta
	// NoOffset says that there is none: for a time of day in a zone with a key, whose offset depends on the day.
	NoOffset bool
	// Key is the IANA key of a zoneinfo.ZoneInfo ("Europe/Paris"); "" for a fixed offset.
	Key string
	// Name is the name of a fixed offset that was given one.
	Name string
}

// zoneKey is a key of the IANA database: what a file below a zoneinfo folder may be called, and nothing that leaves it.
var zoneKey = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_+-]*(?:/[A-Za-z0-9][A-Za-z0-9_+-]*){0,3}$`)

// Location returns the zone as a time.Location: the zone of its key where this machine's database has it, else the
// offset that held.
func (z Zone) Location() (*time.Location, error) {
	if z.Key != "" {
		if location, err := time.LoadLocation(z.Key); err == nil {
			return location, nil
		}
	}
	offset, fits := z.Offset.Duration()
	if z.NoOffset || !fits {
		return nil, fmt.Errorf("no time zone %q here, and no UTC offset to use instead", z.Key)
	}
	name := z.Name
	if name == "" {
		name = z.Key
	}
	if offset == 0 && (name == "" || name == "UTC") {
		return time.UTC, nil
	}
	return time.FixedZone(name, int(offset/time.Second)), nil
}

// TimeOfDay is a Python datetime.time.
type TimeOfDay struct {
	Hour, Minute, Second, Microsecond int
	// Fold is true for the second of two equal wall-clock times (PEP 495).
	Fold bool
	// Zone is the time zone; nil for a naive time.
	Zone *Zone
}

// String returns the time as "23:59:59.999999", without its zone.
func (t TimeOfDay) String() string {
	text := fmt.Sprintf("%02d:%02d:%02d", t.Hour, t.Minute, t.Second)
	if t.Microsecond != 0 {
		text += fmt.Sprintf(".%06d", t.Microsecond)
	}
	return text
}

// DateTime is a Python datetime.datetime. It keeps what a time.Time cannot: whether it is naive, its fold, its zone's
// kind, and wall-clock times that a zone skips.
type DateTime struct {
	// Date is the day.
	Date Date
	// Time is the time of day, and the zone.
	Time TimeOfDay
}

// String returns the datetime as "2024-02-29 12:30:00", without its zone.
func (d DateTime) String() string { return d.Date.String() + " " + d.Time.String() }

// Instant returns an aware datetime as a time.Time: the same instant, in its zone. A naive one is no instant: read its
// fields instead, or say with [DateTime.In] where it was meant.
func (d DateTime) Instant() (time.Time, error) {
	zone := d.Time.Zone
	if zone == nil {
		return time.Time{}, fmt.Errorf("%s is naive: without a time zone it is no instant", d)
	}
	location, err := zone.Location()
	if err != nil {
		return time.Time{}, err
	}
	if zone.NoOffset {
		return d.In(location), nil
	}
	offset, fits := zone.Offset.Duration()
	if !fits {
		return time.Time{}, fmt.Errorf("a UTC offset of %s is out of range", zone.Offset)
	}
	return d.In(time.UTC).Add(-offset).In(location), nil
}

// In returns the wall-clock time of a location, as time.Date does.
func (d DateTime) In(location *time.Location) time.Time {
	return time.Date(d.Date.Year, time.Month(d.Date.Month), d.Date.Day, d.Time.Hour, d.Time.Minute, d.Time.Second,
		d.Time.Microsecond*1000, location)
}

// DateTimeOf makes an aware DateTime of a time.Time: with the location's key where it has one of the IANA database, else
// with its offset. What is finer than a microsecond, Python's finest, is cut.
func DateTimeOf(t time.Time) DateTime {
	name, seconds := t.Zone()
	zone := &Zone{Offset: normalized(0, int64(seconds), 0)}
	switch location := t.Location().String(); {
	case t.Location() == time.UTC || location == "UTC":
	case location == "Local":
		zone.Name = name // the machine's zone has no key that another machine would know
	case zoneKey.MatchString(location) && location != name:
		zone.Key = location // a fixed zone's location is called by its name
	default:
		zone.Name = name
	}
	return DateTime{
		Date{t.Year(), int(t.Month()), t.Day()},
		TimeOfDay{t.Hour(), t.Minute(), t.Second(), t.Nanosecond() / 1000, zone.Key != "" && isFold(t), zone},
	}
}

// isFold tells whether a zone's clock showed the same time once before, before it was put back.
func isFold(t time.Time) bool {
	_, now := t.Zone()
	start, _ := t.ZoneBounds()
	if start.IsZero() {
		return false
	}
	_, before := start.Add(-time.Nanosecond).Zone()
	return before > now && t.Sub(start) < time.Duration(before-now)*time.Second
}

func (z Zone) check() string {
	if z.Key != "" && (len(z.Key) > 64 || !zoneKey.MatchString(z.Key)) {
		return shortKey(z.Key) + " is no key of the IANA time zone database"
	}
	if z.NoOffset && z.Key == "" {
		return "a time zone without a key needs its UTC offset"
	}
	if d := z.Offset; d.Days < -1 || d.Days > 0 || (d.Days == -1 && d.Seconds == 0 && d.Microseconds == 0) {
		return "a time zone's offset is strictly between -24 and 24 hours"
	}
	return ""
}

func (d Date) check() string {
	if d.Year < 1 || d.Year > 9999 || d.Month < 1 || d.Month > 12 || d.Day < 1 ||
		d.Day > time.Date(d.Year, time.Month(d.Month)+1, 0, 0, 0, 0, 0, time.UTC).Day() {
		return fmt.Sprintf("no such date: year %d, month %d, day %d", d.Year, d.Month, d.Day)
	}
	return ""
}

func (t TimeOfDay) check() string {
	if t.Hour < 0 || t.Hour > 23 || t.Minute < 0 || t.Minute > 59 || t.Second < 0 || t.Second > 59 ||
		t.Microsecond < 0 || t.Microsecond > 999_999 {
		return fmt.Sprintf("no such time: hour %d, minute %d, second %d, microsecond %d", t.Hour, t.Minute, t.Second, t.Microsecond)
	}
	if t.Zone != nil {
		return t.Zone.check()
	}
	return ""
}

func (d TimeDelta) check() string {
	if d.Days < -999_999_999 || d.Days > 999_999_999 {
		return "a timedelta is beyond 999,999,999 days"
	}
	return ""
}
