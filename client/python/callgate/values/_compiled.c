/* Plain nested values in C: lists, tuples and dicts of None, bool, int, float, str and bytes.
 *
 * encode() writes the wire format of callgate.v1.Value (protos/callgate/v1/value.proto), decode() reads it. Whatever is
 * not plain, or beyond a limit, or not as encoders write it, gives None, and encode.py and decode.py do it: they have
 * every kind and every error message. So this file may refuse what it likes, and must never disagree with them.
 *
 * Safety: decode() checks every length against the end before it reads; recursion is bounded by NESTING_STRIDE. Only
 * exact types are taken, so no code of the value's own runs in between.
 */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdint.h>
#include <string.h>

/* As callgate.values.limits: from here on, containers go into a nested_value. */
#define NESTING_STRIDE 20

/* As callgate.values.decode: larger maps are checked for keys made to have equal hashes. */
#define HASHES_UNCHECKED 1000

/* Field numbers of Value, with their wire types. */
enum {
    NULL_VALUE = 1 << 3 | 0,
    BOOL_VALUE = 2 << 3 | 0,
    INT_VALUE = 3 << 3 | 0,
    DOUBLE_VALUE = 5 << 3 | 1,
    STRING_VALUE = 6 << 3 | 2,
    BYTES_VALUE = 7 << 3 | 2,
    LIST_VALUE = 8 << 3 | 2,
    TUPLE_VALUE = 9 << 3 | 2,
    MAP_VALUE = 12 << 3 | 2,
    DOUBLE_LIST = 13 << 3 | 2,
    INT_LIST = 14 << 3 | 2,
    BOOL_LIST = 15 << 3 | 2,
    STRING_LIST = 16 << 3 | 2,
    STRING_MAP = 17 << 3 | 2,
    FIRST = 1 << 3 | 2,  /* the first and the second field of the messages inside, as bytes or messages */
    SECOND = 2 << 3 | 2,
};

/* What is left of the limits. */
typedef struct {
    Py_ssize_t depth, elements, bytes;
} Budget;

/* Take a container of `count` elements off it; 0 if that is more than is left. */
static int enter(Budget *budget, Py_ssize_t depth, Py_ssize_t count)
{
    budget->elements -= count;
    return depth <= budget->depth && depth < NESTING_STRIDE && budget->elements >= 0;
}

static int spend(Budget *budget, Py_ssize_t count)
{
    budget->bytes -= count;
    return budget->bytes >= 0;
}

/* -- Encoding. Functions return 1, or 0 if the value is not plain or there is no memory (then with MemoryError set). */

typedef struct {
    unsigned char *data;
    Py_ssize_t size, capacity;
    Budget budget;
} Writer;

static int reserve(Writer *to, Py_ssize_t more)
{
    if (more <= to->capacity - to->size)
        return 1;
    if (more > PY_SSIZE_T_MAX / 4 - to->size) {
        PyErr_NoMemory();
        return 0;
    }
    Py_ssize_t capacity = (to->size + more) * 2;
    unsigned char *data = PyMem_Realloc(to->data, (size_t)capacity);
    if (data == NULL) {
        PyErr_NoMemory();
        return 0;
    }
    to->data = data;
    to->capacity = capacity;
    return 1;
}

/* Ten bytes must be reserved. */
static void put_varint(Writer *to, uint64_t number)
{
    while (number >= 0x80) {
        to->data[to->size++] = (unsigned char)(number | 0x80);
        number >>= 7;
    }
    to->data[to->size++] = (unsigned char)number;
}

static uint64_t zigzag(int64_t number)
{
    return ((uint64_t)number << 1) ^ (uint64_t)(number >> 63);
}

static int put_bytes(Writer *to, unsigned tag, const char *data, Py_ssize_t size)
{
    if (!reserve(to, size + 20))
        return 0;
    put_varint(to, tag);
    put_varint(to, (uint64_t)size);
    memcpy(to->data + to->size, data, (size_t)size);
    to->size += size;
    return 1;
}

static int put_string(Writer *to, unsigned tag, PyObject *value)
{
    Py_ssize_t size;
    const char *data = PyUnicode_AsUTF8AndSize(value, &size);
    if (data == NULL) { /* lone surrogates, which have a form of their own */
        if (PyErr_ExceptionMatches(PyExc_UnicodeError))
            PyErr_Clear();
        return 0;
    }
    return put_bytes(to, tag, data, size);
}

/* A message whose length is not known yet: one byte is left for it, and more are made if they are needed. */
static Py_ssize_t begin(Writer *to, unsigned tag)
{
    if (!reserve(to, 20))
        return -1;
    put_varint(to, tag);
    return to->size++;
}

static int end(Writer *to, Py_ssize_t began)
{
    Py_ssize_t size = to->size - began - 1;
    int more = 0;
    for (Py_ssize_t rest = size >> 7; rest; rest >>= 7)
        more++;
    if (more) {
        if (!reserve(to, more))
            return 0;
        memmove(to->data + began + 1 + more, to->data + began + 1, (size_t)size);
    }
    Py_ssize_t whole = to->size + more;
    to->size = began;
    put_varint(to, (uint64_t)size);
    to->size = whole;
    return 1;
}

static int put_value(Writer *to, PyObject *value, Py_ssize_t depth);

/* A field that is a Value. */
static int put_field(Writer *to, unsigned tag, PyObject *value, Py_ssize_t depth)
{
    Py_ssize_t began = begin(to, tag);
    return began >= 0 && put_value(to, value, depth) && end(to, began);
}

/* A list of one plain type, packed. */
static int put_packed(Writer *to, PyObject *list, PyTypeObject *kind)
{
    Py_ssize_t count = PyList_GET_SIZE(list);
    unsigned tag = kind == &PyFloat_Type ? DOUBLE_LIST : kind == &PyLong_Type ? INT_LIST
                 : kind == &PyBool_Type ? BOOL_LIST : STRING_LIST;
    if (kind != &PyUnicode_Type && !spend(&to->budget, kind == &PyFloat_Type ? 8 * count : count))
        return 0;
    Py_ssize_t outer = begin(to, tag);
    if (outer < 0)
        return 0;
    if (kind == &PyUnicode_Type) {
        for (Py_ssize_t i = 0; i < count; i++) {
            PyObject *item = PyList_GET_ITEM(list, i);
            if (!spend(&to->budget, PyUnicode_GET_LENGTH(item)) || !put_string(to, FIRST, item))
                return 0;
        }
        return end(to, outer);
    }
    Py_ssize_t inner = begin(to, FIRST);
    if (inner < 0 || !reserve(to, 10 * count))
        return 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *item = PyList_GET_ITEM(list, i);
        if (kind == &PyFloat_Type) {
            PyFloat_Pack8(PyFloat_AS_DOUBLE(item), (char *)to->data + to->size, 1);
            to->size += 8;
        } else if (kind == &PyBool_Type) {
            to->data[to->size++] = item == Py_True;
        } else {
            int overflow;
            int64_t number = PyLong_AsLongLongAndOverflow(item, &overflow);
            if (overflow)
                return 0;
            put_varint(to, zigzag(number));
        }
    }
    return end(to, inner) && end(to, outer);
}

/* The elements of a list or a tuple. */
static int put_items(Writer *to, unsigned tag, PyObject *items, Py_ssize_t depth)
{
    Py_ssize_t count = PySequence_Fast_GET_SIZE(items);
    Py_ssize_t began = begin(to, tag);
    if (began < 0)
        return 0;
    for (Py_ssize_t i = 0; i < count; i++)
        if (!put_field(to, FIRST, PySequence_Fast_GET_ITEM(items, i), depth))
            return 0;
    return end(to, began);
}

static int put_list(Writer *to, PyObject *list, Py_ssize_t depth)
{
    Py_ssize_t count = PyList_GET_SIZE(list);
    if (!enter(&to->budget, depth, count))
        return 0;
    if (count) {
        PyTypeObject *kind = Py_TYPE(PyList_GET_ITEM(list, 0));
        if (kind == &PyFloat_Type || kind == &PyLong_Type || kind == &PyBool_Type || kind == &PyUnicode_Type) {
            Py_ssize_t same = 1;
            while (same < count && Py_TYPE(PyList_GET_ITEM(list, same)) == kind)
                same++;
            if (same == count)
                return put_packed(to, list, kind);
        }
    }
    return put_items(to, LIST_VALUE, list, depth);
}

static int put_tuple(Writer *to, PyObject *tuple, Py_ssize_t depth)
{
    return enter(&to->budget, depth, PyTuple_GET_SIZE(tuple)) && put_items(to, TUPLE_VALUE, tuple, depth);
}

static int put_dict(Writer *to, PyObject *dict, Py_ssize_t depth)
{
    if (!enter(&to->budget, depth, PyDict_GET_SIZE(dict)))
        return 0;
    PyObject *key, *value;
    Py_ssize_t at = 0;
    int strings = 1;
    while (strings && PyDict_Next(dict, &at, &key, NULL))
        strings = PyUnicode_CheckExact(key);
    Py_ssize_t began = begin(to, strings ? STRING_MAP : MAP_VALUE);
    if (began < 0)
        return 0;
    at = 0;
    if (strings) {
        while (PyDict_Next(dict, &at, &key, NULL))
            if (!put_string(to, FIRST, key))
                return 0;
        at = 0;
        while (PyDict_Next(dict, &at, NULL, &value))
            if (!put_field(to, SECOND, value, depth))
                return 0;
    } else {
        while (PyDict_Next(dict, &at, &key, &value)) {
            Py_ssize_t entry = begin(to, FIRST);
            if (entry < 0 || !put_field(to, FIRST, key, depth) || !put_field(to, SECOND, value, depth) || !end(to, entry))
                return 0;
        }
    }
    return end(to, began);
}

/* The fields of a Value; `depth` is that of the container that it is in. */
static int put_value(Writer *to, PyObject *value, Py_ssize_t depth)
{
    PyTypeObject *kind = Py_TYPE(value);
    if (kind == &PyUnicode_Type)
        return spend(&to->budget, PyUnicode_GET_LENGTH(value)) && put_string(to, STRING_VALUE, value);
    if (kind == &PyLong_Type) {
        int overflow;
        int64_t number = PyLong_AsLongLongAndOverflow(value, &overflow);
        if (overflow || !reserve(to, 20))
            return 0;
        put_varint(to, INT_VALUE);
        put_varint(to, zigzag(number));
        return 1;
    }
    if (kind == &PyFloat_Type) {
        if (!reserve(to, 20))
            return 0;
        put_varint(to, DOUBLE_VALUE);
        PyFloat_Pack8(PyFloat_AS_DOUBLE(value), (char *)to->data + to->size, 1);
        to->size += 8;
        return 1;
    }
    if (value == Py_None || kind == &PyBool_Type) {
        if (!reserve(to, 20))
            return 0;
        put_varint(to, value == Py_None ? NULL_VALUE : BOOL_VALUE);
        put_varint(to, value == Py_True);
        return 1;
    }
    if (kind == &PyDict_Type)
        return put_dict(to, value, depth + 1);
    if (kind == &PyList_Type)
        return put_list(to, value, depth + 1);
    if (kind == &PyTuple_Type)
        return put_tuple(to, value, depth + 1);
    if (kind == &PyBytes_Type)
        return spend(&to->budget, PyBytes_GET_SIZE(value))
            && put_bytes(to, BYTES_VALUE, PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value));
    return 0;
}

/* A value, and three limits; the Value's bytes, inside of a message or not. */
static PyObject *encoded(PyObject *const *args, int inside)
{
    Writer to = {.budget = {PyLong_AsSsize_t(args[1]), PyLong_AsSsize_t(args[2]), PyLong_AsSsize_t(args[3])}};
    if (PyErr_Occurred())
        return NULL;
    PyObject *made = NULL;
    Py_ssize_t began = inside ? begin(&to, FIRST) : 0;
    if (began >= 0 && put_value(&to, args[0], 0) && (!inside || end(&to, began)))
        made = PyBytes_FromStringAndSize((const char *)to.data, to.size);
    else if (!PyErr_Occurred())
        made = Py_NewRef(Py_None);
    PyMem_Free(to.data);
    return made;
}

PyDoc_STRVAR(encode_doc,
"encode(value, depth, elements, bytes, /)\n--\n\n"
"Encode a value, if it is plain.\n\n"
"Args:\n"
"    value: what to encode.\n"
"    depth, elements, bytes: the limits.\n\n"
"Returns:\n"
"    A serialized Value; None if it is not plain, or beyond a limit.");

static PyObject *compiled_encode(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    if (count != 4)
        return PyErr_Format(PyExc_TypeError, "encode takes 4 arguments, not %zd", count);
    return encoded(args, 0);
}

PyDoc_STRVAR(encode_only_doc,
"encode_only(value, depth, elements, bytes, /)\n--\n\n"
"As encode(), in a message that has the Value as its first field and nothing else.");

static PyObject *compiled_encode_only(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    if (count != 4)
        return PyErr_Format(PyExc_TypeError, "encode_only takes 4 arguments, not %zd", count);
    return encoded(args, 1);
}

/* -- Decoding. Functions return a new reference, or NULL: not plain, or, with an exception set, no memory. */

typedef struct {
    const unsigned char *at, *end;
} Span;

/* A varint of at most so many bits, in as many bytes as they take: 64, or 32 for tags and lengths, as protobuf's parsers
 * have it. */
static int get_varint(Span *from, int bits, uint64_t *number)
{
    uint64_t value = 0;
    for (int shift = 0; shift < bits && from->at < from->end; shift += 7) {
        unsigned char byte = *from->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *number = value;
            return bits - shift >= 7 || byte >> (bits - shift) == 0;
        }
    }
    return 0;
}

/* A length, and so many bytes. */
static int get_span(Span *from, Span *inside)
{
    uint64_t size;
    if (!get_varint(from, 32, &size) || size > (uint64_t)(from->end - from->at))
        return 0;
    inside->at = from->at;
    inside->end = from->at += size;
    return 1;
}

/* A field with this one-byte tag that is bytes or a message. */
static int get_field(Span *from, unsigned char tag, Span *inside)
{
    if (from->at == from->end || *from->at != tag)
        return 0;
    from->at++;
    return get_span(from, inside);
}

/* How many fields of this tag come next; `from` goes past them. */
static Py_ssize_t count_fields(Span *from, unsigned char tag)
{
    Py_ssize_t count = 0;
    Span inside;
    while (from->at < from->end && *from->at == tag) {
        from->at++;
        if (!get_span(from, &inside))
            return -1;
        count++;
    }
    return count;
}

static int64_t unzigzag(uint64_t number)
{
    return (int64_t)(number >> 1) ^ -(int64_t)(number & 1);
}

static PyObject *get_value(Span from, Py_ssize_t depth, Budget *budget);

static PyObject *get_string(Span from)
{
    return PyUnicode_DecodeUTF8((const char *)from.at, from.end - from.at, NULL);
}

/* The elements of a list, a tuple or a list of strings. */
static PyObject *get_items(Span from, Py_ssize_t depth, Budget *budget, unsigned kind)
{
    Span rest = from, inside;
    Py_ssize_t count = count_fields(&rest, FIRST);
    if (count < 0 || rest.at != rest.end || !enter(budget, depth, count))
        return NULL;
    PyObject *made = kind == TUPLE_VALUE ? PyTuple_New(count) : PyList_New(count);
    for (Py_ssize_t i = 0; made != NULL && i < count; i++) {
        PyObject *item = NULL;
        if (get_field(&from, FIRST, &inside))
            item = kind == STRING_LIST ? get_string(inside) : get_value(inside, depth, budget);
        if (item == NULL)
            Py_CLEAR(made);
        else if (kind == TUPLE_VALUE)
            PyTuple_SET_ITEM(made, i, item);
        else
            PyList_SET_ITEM(made, i, item);
    }
    return made;
}

static PyObject *get_numbers(Span from, Py_ssize_t depth, Budget *budget, unsigned kind)
{
    Span inside = {from.at, from.at};
    if (from.at != from.end && (!get_field(&from, FIRST, &inside) || from.at != from.end))
        return NULL;
    Py_ssize_t count = 0;
    if (kind == DOUBLE_LIST) {
        if ((inside.end - inside.at) % 8)
            return NULL;
        count = (inside.end - inside.at) / 8;
    } else {
        for (const unsigned char *at = inside.at; at < inside.end; at++)
            count += *at < 0x80; /* the last byte of each varint */
    }
    if (!enter(budget, depth, count))
        return NULL;
    PyObject *made = PyList_New(count);
    for (Py_ssize_t i = 0; made != NULL && i < count; i++) {
        PyObject *item = NULL;
        uint64_t number;
        if (kind == DOUBLE_LIST) {
            item = PyFloat_FromDouble(PyFloat_Unpack8((const char *)inside.at, 1));
            inside.at += 8;
        } else if (get_varint(&inside, 64, &number)) {
            item = kind == BOOL_LIST ? PyBool_FromLong(number != 0) : PyLong_FromLongLong(unzigzag(number));
        }
        if (item == NULL)
            Py_CLEAR(made);
        else
            PyList_SET_ITEM(made, i, item);
    }
    if (made != NULL && inside.at != inside.end)
        Py_CLEAR(made);
    return made;
}

/* Put a pair into a dict; takes both references, either of which may be NULL. A tuple as a key may hold a list. */
static int put_pair(PyObject *dict, PyObject *key, PyObject *value)
{
    int good = key != NULL && value != NULL;
    if (good && PyDict_SetItem(dict, key, value) < 0) {
        if (PyErr_ExceptionMatches(PyExc_TypeError))
            PyErr_Clear();
        good = 0;
    }
    Py_XDECREF(key);
    Py_XDECREF(value);
    return good;
}

static PyObject *get_string_map(Span from, Py_ssize_t depth, Budget *budget)
{
    Span keys = from, inside;
    Py_ssize_t count = count_fields(&from, FIRST);
    Span values = from;
    if (count < 0 || count_fields(&from, SECOND) != count || from.at != from.end || !enter(budget, depth, count))
        return NULL;
    PyObject *made = PyDict_New();
    for (Py_ssize_t i = 0; made != NULL && i < count; i++) {
        PyObject *key = get_field(&keys, FIRST, &inside) ? get_string(inside) : NULL;
        PyObject *value = key != NULL && get_field(&values, SECOND, &inside) ? get_value(inside, depth, budget) : NULL;
        if (!put_pair(made, key, value))
            Py_CLEAR(made);
    }
    if (made != NULL && PyDict_GET_SIZE(made) != count) /* a key came twice */
        Py_CLEAR(made);
    return made;
}

static PyObject *get_map(Span from, Py_ssize_t depth, Budget *budget)
{
    Span rest = from, entry, inside;
    Py_ssize_t count = count_fields(&rest, FIRST);
    if (count < 0 || count > HASHES_UNCHECKED || rest.at != rest.end || !enter(budget, depth, count))
        return NULL;
    PyObject *made = PyDict_New();
    for (Py_ssize_t i = 0; made != NULL && i < count; i++) {
        PyObject *key = NULL, *value = NULL;
        if (get_field(&from, FIRST, &entry) && get_field(&entry, FIRST, &inside))
            key = get_value(inside, depth, budget);
        if (key != NULL && get_field(&entry, SECOND, &inside) && entry.at == entry.end)
            value = get_value(inside, depth, budget);
        if (!put_pair(made, key, value))
            Py_CLEAR(made);
    }
    if (made != NULL && PyDict_GET_SIZE(made) != count)
        Py_CLEAR(made);
    return made;
}

/* A whole Value; `depth` is that of the container that it is in. */
static PyObject *get_value(Span from, Py_ssize_t depth, Budget *budget)
{
    uint64_t tag, number;
    if (!get_varint(&from, 32, &tag))
        return NULL;
    if ((tag & 7) == 0) {
        if (!get_varint(&from, 64, &number) || from.at != from.end)
            return NULL;
        switch (tag) {
        case INT_VALUE: return PyLong_FromLongLong(unzigzag(number));
        case BOOL_VALUE: return PyBool_FromLong(number != 0);
        case NULL_VALUE: return Py_NewRef(Py_None);
        default: return NULL;
        }
    }
    if (tag == DOUBLE_VALUE)
        return from.end - from.at == 8 ? PyFloat_FromDouble(PyFloat_Unpack8((const char *)from.at, 1)) : NULL;
    Span inside;
    if ((tag & 7) != 2 || !get_span(&from, &inside) || from.at != from.end)
        return NULL;
    switch (tag) {
    case STRING_VALUE: return get_string(inside);
    case STRING_MAP: return get_string_map(inside, depth + 1, budget);
    case LIST_VALUE: case TUPLE_VALUE: case STRING_LIST: return get_items(inside, depth + 1, budget, (unsigned)tag);
    case DOUBLE_LIST: case INT_LIST: case BOOL_LIST: return get_numbers(inside, depth + 1, budget, (unsigned)tag);
    case MAP_VALUE: return get_map(inside, depth + 1, budget);
    case BYTES_VALUE: return PyBytes_FromStringAndSize((const char *)inside.at, inside.end - inside.at);
    default: return NULL;
    }
}

/* What was decoded, or None for what is not plain; an exception where there was no memory. */
static PyObject *decoded(PyObject *made)
{
    if (made != NULL)
        return made;
    if (PyErr_Occurred()) {
        if (!PyErr_ExceptionMatches(PyExc_UnicodeError))
            return NULL;
        PyErr_Clear();
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(decode_doc,
"decode(data, start, depth, elements, /)\n--\n\n"
"Decode a serialized Value, if it is plain.\n\n"
"Args:\n"
"    data: what ends with the Value.\n"
"    start: where it begins.\n"
"    depth, elements: the limits.\n\n"
"Returns:\n"
"    The value and how many elements are left; None if it is not plain, or beyond a limit.");

static PyObject *compiled_decode(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    if (count != 4 || !PyBytes_CheckExact(args[0]))
        return PyErr_Format(PyExc_TypeError, "decode takes bytes, a place in them, and two limits");
    Py_ssize_t start = PyLong_AsSsize_t(args[1]);
    Budget budget = {PyLong_AsSsize_t(args[2]), PyLong_AsSsize_t(args[3]), 0};
    if (PyErr_Occurred())
        return NULL;
    if (start < 0 || start > PyBytes_GET_SIZE(args[0]))
        return PyErr_Format(PyExc_ValueError, "decode starts at %zd, which is outside", start);
    const unsigned char *data = (const unsigned char *)PyBytes_AS_STRING(args[0]);
    PyObject *value = get_value((Span){data + start, data + PyBytes_GET_SIZE(args[0])}, 0, &budget);
    return decoded(value == NULL ? NULL : Py_BuildValue("Nn", value, budget.elements));
}

/* Fields of CallFunctionRequest, with their wire type; takes_more is for protobuf. */
enum { MODULE = FIRST, FUNCTION = SECOND, ARGS = 3 << 3 | 2, KWARGS = 4 << 3 | 2 };

static PyObject *get_kwargs(Span from, Py_ssize_t count, Budget *budget)
{
    Span entry, inside;
    PyObject *made = PyDict_New();
    for (Py_ssize_t i = 0; made != NULL && i < count; i++) {
        PyObject *key = NULL, *value = NULL;
        if (get_field(&from, KWARGS, &entry) && get_field(&entry, FIRST, &inside))
            key = get_string(inside);
        if (key != NULL && get_field(&entry, SECOND, &inside) && entry.at == entry.end)
            value = get_value(inside, 0, budget);
        if (!put_pair(made, key, value))
            Py_CLEAR(made);
    }
    if (made != NULL && PyDict_GET_SIZE(made) != count) /* a name came twice: the last one counts, says protobuf */
        Py_CLEAR(made);
    return made;
}

/* (module, function, args, kwargs) of a call with plain arguments. */
static PyObject *get_call(Span from, Budget *budget)
{
    Span module, function, inside;
    if (!get_field(&from, MODULE, &module) || !get_field(&from, FUNCTION, &function))
        return NULL;
    Span args = from;
    Py_ssize_t count = count_fields(&from, ARGS);
    Span kwargs = from;
    Py_ssize_t named = count < 0 ? -1 : count_fields(&from, KWARGS);
    if (named < 0 || from.at != from.end || !enter(budget, 0, count + named))
        return NULL;
    PyObject *made = PyTuple_New(4), *positional = made == NULL ? NULL : PyList_New(count);
    if (positional == NULL) {
        Py_XDECREF(made);
        return NULL;
    }
    PyTuple_SET_ITEM(made, 2, positional);
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *item = get_field(&args, ARGS, &inside) ? get_value(inside, 0, budget) : NULL;
        if (item == NULL) {
            Py_DECREF(made);
            return NULL;
        }
        PyList_SET_ITEM(positional, i, item);
    }
    /* One after the other: with an exception set, nothing more may be tried. */
    PyObject *item = get_string(module);
    PyTuple_SET_ITEM(made, 0, item);
    if (item != NULL)
        PyTuple_SET_ITEM(made, 1, item = get_string(function));
    if (item != NULL)
        PyTuple_SET_ITEM(made, 3, item = get_kwargs(kwargs, named, budget));
    if (item == NULL)
        Py_CLEAR(made);
    return made;
}

PyDoc_STRVAR(call_doc,
"call(data, depth, elements, /)\n--\n\n"
"Decode a serialized CallFunctionRequest, if its arguments are plain.\n\n"
"Args:\n"
"    data: the request.\n"
"    depth, elements: the limits, of all arguments together.\n\n"
"Returns:\n"
"    Its module, function, positional and keyword arguments; None if one is not plain, or beyond a limit.");

static PyObject *compiled_call(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    if (count != 3 || !PyBytes_CheckExact(args[0]))
        return PyErr_Format(PyExc_TypeError, "call takes bytes and two limits");
    Budget budget = {PyLong_AsSsize_t(args[1]), PyLong_AsSsize_t(args[2]), 0};
    if (PyErr_Occurred())
        return NULL;
    const unsigned char *data = (const unsigned char *)PyBytes_AS_STRING(args[0]);
    return decoded(get_call((Span){data, data + PyBytes_GET_SIZE(args[0])}, &budget));
}

static PyMethodDef methods[] = {
    {"call", (PyCFunction)(void (*)(void))compiled_call, METH_FASTCALL, call_doc},
    {"encode_only", (PyCFunction)(void (*)(void))compiled_encode_only, METH_FASTCALL, encode_only_doc},
    {"encode", (PyCFunction)(void (*)(void))compiled_encode, METH_FASTCALL, encode_doc},
    {"decode", (PyCFunction)(void (*)(void))compiled_decode, METH_FASTCALL, decode_doc},
    {NULL},
};

static PyModuleDef_Slot slots[] = {
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED}, /* it has no state */
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "callgate.values._compiled",
    .m_doc = "Plain nested values, from and to serialized Values.",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__compiled(void)
{
    return PyModuleDef_Init(&definition);
}
