package callgate

import "reflect"

// assignSequence sets a slice or an array to the elements of a list, tuple or set, or to bytes.
func assignSequence(into reflect.Value, value any) *ConversionError {
	kind := into.Type()
	if kind.Elem().Kind() == reflect.Uint8 {
		data, ok := value.([]byte)
		if id, isUUID := value.(UUID); isUUID && kind.Kind() == reflect.Array && kind.Name() == "UUID" {
			data, ok = id[:], true
		}
		if ok {
			return assignBytes(into, data)
		}
	}
	switch value.(type) {
	case []any, []float64, []int64, []bool, []string, Tuple, Set, FrozenSet:
	default:
		return mismatch(value, kind)
	}
	from := reflect.ValueOf(value)
	made := into
	if kind.Kind() == reflect.Slice {
		made = reflect.MakeSlice(kind, from.Len(), from.Len())
	} else if from.Len() != kind.Len() {
		return conversionError("a %s of %d elements does not fit a %s", pythonName(value), from.Len(), kind)
	}
	for i := range from.Len() {
		if err := assign(made.Index(i), from.Index(i).Interface()); err != nil {
			return err.at("[%d]", i)
		}
	}
	if kind.Kind() == reflect.Slice {
		into.Set(made)
	}
	return nil
}

func assignBytes(into reflect.Value, data []byte) *ConversionError {
	if into.Kind() == reflect.Slice {
		into.SetBytes(data)
		return nil
	}
	if len(data) != into.Len() {
		return conversionError("%d bytes do not fit a %s", len(data), into.Type())
	}
	reflect.Copy(into, reflect.ValueOf(data))
	return nil
}

// assignMap sets a map to a dict's entries, to a record's fields, or (a map to struct{}) to a set's elements.
func assignMap(into reflect.Value, value any) *ConversionError {
	kind := into.Type()
	var entries Dict
	switch v := value.(type) {
	case Dict:
		entries = v
	case Record:
		entries = fieldsOf(v)
	case Set:
		return assignKeys(into, v)
	case FrozenSet:
		return assignKeys(into, v)
	default:
		return mismatch(value, kind)
	}
	made := reflect.MakeMapWithSize(kind, len(entries))
	for _, entry := range entries {
		key, err := keyOf(kind, entry.Key)
		if err != nil {
			return err.at(".key(%s)", shortKey(entry.Key))
		}
		item := reflect.New(kind.Elem()).Elem()
		if err := assign(item, entry.Value); err != nil {
			return err.at("[%s]", shortKey(entry.Key))
		}
		made.SetMapIndex(key, item)
	}
	if made.Len() != len(entries) {
		return conversionError("two keys become one as %s", kind.Key())
	}
	into.Set(made)
	return nil
}

func assignKeys(into reflect.Value, elements []any) *ConversionError {
	kind := into.Type()
	if kind.Elem() != reflect.TypeFor[struct{}]() {
		return conversionError("a set becomes a slice or a map to struct{}, and no %s", kind)
	}
	made := reflect.MakeMapWithSize(kind, len(elements))
	for i, element := range elements {
		key, err := keyOf(kind, element)
		if err != nil {
			return err.at("[%d]", i)
		}
		made.SetMapIndex(key, reflect.ValueOf(struct{}{}))
	}
	into.Set(made)
	return nil
}

func keyOf(kind reflect.Type, key any) (reflect.Value, *ConversionError) {
	made := reflect.New(kind.Key()).Elem()
	if err := assign(made, key); err != nil {
		return made, err
	}
	if !made.Comparable() { // a Tuple inside an interface
		return made, conversionError("a %s is no key of a Go map: take the Dict", pythonName(key))
	}
	return made, nil
}

func fieldsOf(record Record) Dict {
	made := make(Dict, len(record.Fields))
	for i, field := range record.Fields {
		made[i] = Entry{field.Name, field.Value}
	}
	return made
}

// assignStruct sets a struct's fields to a dict's values or a record's fields, by name.
func assignStruct(into reflect.Value, value any) *ConversionError {
	plan := planOf(into.Type())
	var lookup func(string) (any, bool)
	step := ".%s"
	switch v := value.(type) {
	case Record:
		lookup = v.Lookup
	case Dict:
		lookup = func(name string) (any, bool) { return v.Lookup(name) }
		step = "['%s']"
	default:
		return mismatch(value, into.Type())
	}
	for _, field := range plan.fields {
		item, found := lookup(field.name)
		if !found {
			continue
		}
		target, ok := reach(into, field.index)
		if !ok {
			continue // inside an embedded pointer to an unexported struct, which cannot be made from here
		}
		if err := assign(target, item); err != nil {
			return err.at(step, field.name)
		}
	}
	return nil
}

// reach finds a field, and makes the embedded structs that it is in.
func reach(into reflect.Value, index []int) (reflect.Value, bool) {
	for i, at := range index {
		if i > 0 && into.Kind() == reflect.Pointer {
			if into.IsNil() {
				if !into.CanSet() {
					return into, false
				}
				into.Set(reflect.New(into.Type().Elem()))
			}
			into = into.Elem()
		}
		into = into.Field(at)
	}
	return into, true
}
