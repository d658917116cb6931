package value

// The range of instants: 0001-01-01T00:00:00Z to 9999-12-31T23:59:59.999999999Z
// in Unix seconds, the years that RFC 3339 can write.
const (
	MinTimestamp int64 = -62_135_596_800
	MaxTimestamp int64 = 253_402_300_799

	secondsPerDay  = 86_400
	nanosPerSecond = 1_000_000_000

	// epochDays is the number of days from 0000-03-01 to 1970-01-01. The
	// arithmetic below begins its years in March, so that the leap day is the
	// last of a year and every month has a fixed offset.
	epochDays = 719_468
	// eraDays is the number of days in 400 years, after which the calendar
	// repeats itself.
	eraDays = 146_097
)

// Civil is an instant on the proleptic Gregorian calendar, in UTC.
type Civil struct {
	Year, Month, Day     int // from 1
	Hour, Minute, Second int // from 0
	YearDay              int // from 0: the 1st of January
	Weekday              int // from 0: Sunday
}

// ValidTimestamp tells whether an instant lies in the range of the language.
func ValidTimestamp(seconds int64, nanos int32) bool {
	return seconds >= MinTimestamp && seconds <= MaxTimestamp && nanos >= 0 && nanos < nanosPerSecond
}

// CivilOf is the date and time of a Unix second.
func CivilOf(seconds int64) Civil {
	days := floorDiv(seconds, secondsPerDay)
	rest := int(seconds - days*secondsPerDay)
	year, month, day := dateOf(days)
	return Civil{
		Year: year, Month: month, Day: day,
		Hour: rest / 3600, Minute: rest / 60 % 60, Second: rest % 60,
		YearDay: int(days - daysOf(year, 1, 1)),
		Weekday: int(((days+4)%7 + 7) % 7), // 1970-01-01 was a Thursday
	}
}

// dateOf is the date of a day counted from 1970-01-01.
func dateOf(days int64) (year, month, day int) {
	days += epochDays
	era := floorDiv(days, eraDays)
	ofEra := days - era*eraDays // 0..146096
	yearOfEra := (ofEra - ofEra/1460 + ofEra/36_524 - ofEra/146_096) / 365
	ofYear := ofEra - (365*yearOfEra + yearOfEra/4 - yearOfEra/100) // 0..365, from 1 March
	fromMarch := (5*ofYear + 2) / 153                               // 0..11
	day = int(ofYear - (153*fromMarch+2)/5 + 1)
	month = int(fromMarch) + 3
	if month > 12 {
		month -= 12
	}
	year = int(yearOfEra + era*400)
	if month <= 2 {
		year++
	}
	return year, month, day
}

// daysOf counts the days from 1970-01-01 to a date.
func daysOf(year, month, day int) int64 {
	fromMarch := month - 3
	if month <= 2 {
		year--
		fromMarch = month + 9
	}
	era := floorDiv(int64(year), 400)
	yearOfEra := int64(year) - era*400
	ofYear := int64((153*fromMarch+2)/5 + day - 1)
	ofEra := yearOfEra*365 + yearOfEra/4 - yearOfEra/100 + ofYear
	return era*eraDays + ofEra - epochDays
}

// daysIn is the number of days in a month, 1 to 12.
func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// floorDiv divides towards minus infinity; d is positive.
func floorDiv(n, d int64) int64 {
	q := n / d
	if n%d < 0 {
		q--
	}
	return q
}

// AddDuration moves an instant by a span. It is not ok outside the range of
// instants.
func AddDuration(instant Value, nanos int64) (Value, bool) {
	seconds := instant.Seconds() + nanos/nanosPerSecond // |nanos| / 1e9 < 2^34: no overflow
	within := int64(instant.Nanos()) + nanos%nanosPerSecond
	if within < 0 {
		within += nanosPerSecond
		seconds--
	} else if within >= nanosPerSecond {
		within -= nanosPerSecond
		seconds++
	}
	if !ValidTimestamp(seconds, int32(within)) {
		return Value{}, false
	}
	return OfTimestamp(seconds, int32(within)), true
}

// Between is the span from instant b to instant a, as a Duration. It is not ok
// where 64 bits of nanoseconds, about 292 years, cannot hold it.
func Between(a, b Value) (Value, bool) {
	seconds := a.Seconds() - b.Seconds() // both in range: no overflow
	nanos := int64(a.Nanos()) - int64(b.Nanos())
	if seconds < 0 && nanos > 0 { // one sign, so that the product below is no larger than the sum
		seconds++
		nanos -= nanosPerSecond
	} else if seconds > 0 && nanos < 0 {
		seconds--
		nanos += nanosPerSecond
	}
	const maxSeconds = (1<<63 - 1) / nanosPerSecond
	if seconds > maxSeconds || seconds < -maxSeconds {
		return Value{}, false
	}
	total := seconds*nanosPerSecond + nanos
	if (nanos > 0 && total < 0) || (nanos < 0 && total > 0) {
		return Value{}, false
	}
	return OfDuration(total), true
}

// TimestampOfMillis makes an instant from Unix milliseconds, as stamps of log
// entries are. It is not ok outside the range of instants.
func TimestampOfMillis(millis int64) (Value, bool) {
	seconds := floorDiv(millis, 1000)
	nanos := int32(millis-seconds*1000) * 1_000_000
	if !ValidTimestamp(seconds, nanos) {
		return Value{}, false
	}
	return OfTimestamp(seconds, nanos), true
}
