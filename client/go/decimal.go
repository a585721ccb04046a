package callgate

import (
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
)

// Decimal is a Python decimal.Decimal in the notation of str(Decimal): "1.50", "-0E+3", "NaN", "sNaN12", "-Infinity".
// The text is exact; for arithmetic take its [Decimal.Rat], or hand it to a decimal library.
type Decimal string

// decimalParts matches the notation of str(Decimal), and what differs from it by case or by leading and trailing points.
var decimalParts = regexp.MustCompile(`^(-?)(?:(\d+)(?:\.(\d*))?(?:[eE]([+-]?\d+))?|\.(\d+)(?:[eE]([+-]?\d+))?|((?i:infinity|s?nan))(\d*))$`)

// libmpdec's limits on 64-bit machines (MAX_EMAX and MIN_ETINY): the exponent that the notation shows is at most the first,
// that of the last digit at least the second.
const mostExponent, leastExponent = 999_999_999_999_999_999, -1_999_999_999_999_999_997

// ParseDecimal reads a decimal number, and gives it the notation of str(Decimal).
func ParseDecimal(text string) (Decimal, error) {
	parts := decimalParts.FindStringSubmatch(text)
	if parts == nil || (strings.EqualFold(parts[7], "infinity") && parts[8] != "") {
		return "", fmt.Errorf("%s is no decimal number", shortKey(text))
	}
	if special := parts[7]; special != "" {
		name := map[string]string{"infinity": "Infinity", "nan": "NaN", "snan": "sNaN"}[strings.ToLower(special)]
		return Decimal(parts[1] + name + strings.TrimLeft(parts[8], "0")), nil
	}
	fraction := parts[3] + parts[5]
	exponent := int64(0)
	if written := parts[4] + parts[6]; written != "" {
		number, err := strconv.ParseInt(written, 10, 64)
		if err != nil || number > 2*mostExponent || number < leastExponent { // so that nothing below overflows
			return "", fmt.Errorf("%s is out of range", shortKey(text))
		}
		exponent = number
	}
	digits := strings.TrimLeft(parts[2]+fraction, "0")
	if digits == "" {
		digits = "0"
	}
	exponent -= int64(len(fraction))
	if exponent < leastExponent || exponent+int64(len(digits))-1 > mostExponent {
		return "", fmt.Errorf("%s is out of range", shortKey(text))
	}
	return Decimal(parts[1] + scientific(digits, exponent)), nil
}

// scientific is to-scientific-string of the General Decimal Arithmetic Specification, without the sign.
func scientific(digits string, exponent int64) string {
	adjusted := exponent + int64(len(digits)) - 1
	if exponent <= 0 && adjusted >= -6 {
		point := int64(len(digits)) + exponent
		switch {
		case exponent == 0:
			return digits
		case point > 0:
			return digits[:point] + "." + digits[point:]
		default:
			return "0." + strings.Repeat("0", int(-point)) + digits
		}
	}
	mantissa := digits[:1]
	if len(digits) > 1 {
		mantissa += "." + digits[1:]
	}
	return fmt.Sprintf("%sE%+d", mantissa, adjusted)
}

// Rat returns the number exactly, and whether it has such a form: NaN and infinities have none, nor have numbers with
// exponents beyond 10,000, whose digits would take too much memory.
func (d Decimal) Rat() (*big.Rat, bool) {
	canonical, err := ParseDecimal(string(d))
	if err != nil {
		return nil, false
	}
	if _, exponent, found := strings.Cut(string(canonical), "E"); found {
		if size, err := strconv.Atoi(exponent); err != nil || size > 10_000 || size < -10_000 {
			return nil, false
		}
	}
	return new(big.Rat).SetString(string(canonical)) // refuses "NaN" and "Infinity"
}
