package callgate

import (
	"reflect"
	"strings"
	"sync"
	"unicode"
)

// structPlan is how a struct's fields are called in Python.
type structPlan struct {
	fields []structField
	// record is the type's name if the struct is a Record, "" if it is a dict.
	record string
}

type structField struct {
	name      string
	index     []int
	omitEmpty bool
}

var structPlans sync.Map // reflect.Type → *structPlan

// planOf reads a struct's tags, once. Its fields are nil if none is exported; empty if the struct has none at all.
func planOf(kind reflect.Type) *structPlan {
	if plan, ok := structPlans.Load(kind); ok {
		return plan.(*structPlan)
	}
	plan := &structPlan{}
	if kind.NumField() == 0 {
		plan.fields = []structField{}
	}
	plan.add(kind, nil)
	structPlans.Store(kind, plan)
	return plan
}

func (p *structPlan) add(kind reflect.Type, above []int) {
	for i := range kind.NumField() {
		field := kind.Field(i)
		tag, tagged := field.Tag.Lookup("callgate")
		name, options, _ := strings.Cut(tag, ",")
		if field.Name == "_" {
			if record, ok := strings.CutPrefix(tag, "record="); ok && above == nil {
				p.record = record
			}
			continue
		}
		index := append(append([]int{}, above...), i)
		inner := field.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		if field.Anonymous && !tagged && inner.Kind() == reflect.Struct && len(above) < 10 {
			p.add(inner, index)
			continue
		}
		if !field.IsExported() || name == "-" {
			continue
		}
		if name == "" {
			name = snakeCase(field.Name)
		}
		p.put(structField{name, index, options == "omitempty"})
	}
}

// put adds a field; of two by one name the outer one counts, as in Go.
func (p *structPlan) put(field structField) {
	for i := range p.fields {
		if p.fields[i].name == field.name {
			if len(field.index) < len(p.fields[i].index) {
				p.fields[i] = field
			}
			return
		}
	}
	p.fields = append(p.fields, field)
}

// snakeCase makes a Go name a Python one: UnitPrice → unit_price, HTTPServer → http_server.
func snakeCase(name string) string {
	chars := []rune(name)
	var made strings.Builder
	for i, char := range chars {
		if unicode.IsUpper(char) && i > 0 &&
			(!unicode.IsUpper(chars[i-1]) || (i+1 < len(chars) && unicode.IsLower(chars[i+1]))) && chars[i-1] != '_' {
			made.WriteByte('_')
		}
		made.WriteRune(unicode.ToLower(char))
	}
	return made.String()
}
