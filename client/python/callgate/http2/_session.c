/* gRPC over HTTP/2 without I/O: bytes from a socket in, events out; messages in, bytes for a socket out.
 *
 * HTTP/2 itself (frames, HPACK, flow control, priorities, limits against floods) is nghttp2's. What is here is gRPC on
 * top (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md): messages with their five bytes of head, the
 * status in the trailers, deadlines. One Session is one connection, of a server or of a client.
 *
 *     receive(bytes) ─▶ nghttp2 ─▶ callbacks ─▶ Stream ─▶ events, a list of tuples
 *     respond(), send(), finish(), request() ─▶ Stream ─▶ nghttp2 ─▶ output(limit) ─▶ bytes
 *
 * Safety: who uses a Session from several threads holds a lock of his own around every call, since the collector of
 * older Pythons may run, and let other threads run, wherever an object is made. No Python code runs inside callbacks.
 * Memory that a peer only announces is not taken: a message's buffer grows with what arrives.
 */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <errno.h>
#include <limits.h>
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* Python ignores SIGPIPE anyway */
#endif

/* What an event is: the first element of its tuple. kinds.py has the same numbers. */
enum {
    CALL = 0,      /* server: stream, path, timeout or None, metadata, message or None */
    MESSAGE = 1,   /* stream, message: a client's further one, or one of a stream's */
    END = 2,       /* server: stream: its client sends nothing more, of those that `converse` */
    GONE = 3,      /* stream, HTTP/2 error code: it ended before its time */
    TOO_LARGE = 4, /* server: stream, path, timeout, metadata, size; client: stream, size */
    STATUS = 5,    /* client: stream, HTTP status, gRPC status or -1, its message, metadata, content type */
    ANSWER = 6,    /* client: stream, message: a unary call ended well, with nothing else to tell */
    GOAWAY = 7,    /* client: last stream, error code */
};

/* The most that a request's or a response's metadata may take, names and values, bytes; as grpcio's hard limit. */
#define MAX_METADATA (16 << 10)

/* The largest frame that is sent, where the peer takes one so large; arbitrary, beside a socket's buffer. */
#define MAX_FRAME (256 << 10)

/* A message's first buffer is no larger, whatever size it announces; then it doubles. */
#define FIRST_BUFFER (1 << 20)

/* Bytes read at once, onto the stack, and how often before others have their turn. */
#define READ_BYTES (64 << 10)
#define READ_TIMES 4

/* Bytes made for one send(), from which on it lets other threads of Python run. */
#define WRITE_BYTES (256 << 10)
#define LONG_WRITE (64 << 10)

/* What a server's client may send before it is taken, on all streams together; and bytes of answers that it leaves unread
 * beyond which nothing more is taken, until it has read half of them. So what one connection can have here is bounded,
 * whatever it asks for, and a client that sends without reading comes to read. Arbitrary, beside what large calls take. */
#define SERVER_WINDOW (64 << 20)
#define UNREAD (32 << 20)

#define HEAD 5 /* bytes before a message: a flag and its size */

typedef struct Stream {
    struct Stream *previous, *next; /* all of a session: those that nghttp2 has not opened yet, too */
    int32_t id;

    /* What comes in. */
    PyObject *path, *metadata, *text, *encoding, *content_type;
    Py_ssize_t metadata_bytes;
    double timeout; /* seconds; negative: none */
    int http_status, grpc_status;
    unsigned char head[HEAD];
    int head_bytes;
    PyObject *message; /* being received; whole when `filled` is `size` */
    Py_ssize_t filled, size;
    size_t unconsumed; /* client, of a stream: bytes that its reader has not been told of */
    PyObject *whole; /* of a client's unary call: its answer, until the status comes */
    unsigned is_grpc : 1, is_post : 1;
    unsigned announced : 1;    /* server: its CALL, or TOO_LARGE, is out */
    unsigned ignored : 1;      /* nothing more of what comes matters */
    unsigned peer_done : 1;    /* END_STREAM came */
    unsigned conversing : 1;   /* server: its client's END matters */
    unsigned streaming : 1;    /* client: messages are events of their own, and its reader sets the pace */
    unsigned answered : 1;     /* client: STATUS or ANSWER is out; server: its end is on its way */

    /* What goes out: `queue[first]` has `sent` bytes out, its head included. */
    PyObject **queue;
    Py_ssize_t first, count, capacity, sent, queued;
    unsigned begun : 1;        /* headers are out */
    unsigned ending : 1;       /* no more messages; what follows them is next */
    unsigned deferred : 1;     /* nghttp2 waits for more */
    unsigned crowded : 1;      /* its sender was told to wait */
    int end_code;
    PyObject *end_text, *end_metadata;
} Stream;

typedef struct {
    PyObject_HEAD
    nghttp2_session *session;
    Stream streams; /* the head of the ring of all */
    int server;
    Py_ssize_t max_message;
    Py_ssize_t crowd; /* queued bytes of a stream beyond which its sender waits */
    PyObject *events; /* of the receive() that runs */
    PyObject *drained; /* streams whose sender may go on */
    PyObject *path;   /* the last one seen: mostly the next one's, too */
    PyObject *no_metadata;
    PyObject *authority, *scheme, *agent;
    unsigned char *out; /* bytes from `out_start` to `out_size` are to be sent */
    size_t out_start, out_size, out_capacity, out_limit;
    int broken; /* an error was raised in a callback */
    int greeted; /* the peer's SETTINGS came */
    Py_ssize_t open, queued; /* streams; bytes of messages that are to be sent */
    size_t window; /* of a stream, of what comes */
    size_t withheld; /* bytes that came and that the peer was not told to be taken */
} Session;

static PyObject *ProtocolError;

/* -- Streams */

static Stream *make_stream(Session *self, int32_t id)
{
    Stream *stream = PyMem_Calloc(1, sizeof(Stream));
    if (stream == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    stream->id = id;
    stream->timeout = -1.0;
    stream->grpc_status = -1;
    stream->previous = self->streams.previous;
    stream->next = &self->streams;
    stream->previous->next = stream;
    stream->next->previous = stream;
    self->open++;
    return stream;
}

static void clear_queue(Session *self, Stream *stream)
{
    self->queued -= stream->queued;
    for (Py_ssize_t i = 0; i < stream->count; i++)
        Py_CLEAR(stream->queue[stream->first + i]);
    stream->first = stream->count = stream->sent = stream->queued = 0;
}

static void free_stream(Session *self, Stream *stream)
{
    stream->previous->next = stream->next;
    stream->next->previous = stream->previous;
    self->open--;
    clear_queue(self, stream);
    PyMem_Free(stream->queue);
    Py_XDECREF(stream->path);
    Py_XDECREF(stream->metadata);
    Py_XDECREF(stream->text);
    Py_XDECREF(stream->encoding);
    Py_XDECREF(stream->content_type);
    Py_XDECREF(stream->message);
    Py_XDECREF(stream->whole);
    Py_XDECREF(stream->end_text);
    Py_XDECREF(stream->end_metadata);
    PyMem_Free(stream);
}

static Stream *stream_of(Session *self, int32_t id)
{
    return nghttp2_session_get_stream_user_data(self->session, id);
}

/* -- Events: a failure leaves an exception set, and the callback that it happens in ends the session. */

static int emit(Session *self, PyObject *event)
{
    if (event == NULL)
        return -1;
    int failed = PyList_Append(self->events, event);
    Py_DECREF(event);
    return failed;
}

static int emit_gone(Session *self, int32_t id, uint32_t code)
{
    /* Between two receives (a reset of our own), nobody is told: who resets knows. */
    return self->events == NULL ? 0 : emit(self, Py_BuildValue("(iik)", GONE, (int)id, (unsigned long)code));
}

/* Its sender, which was told to wait, may go on. */
static int note_drained(Session *self, Stream *stream)
{
    stream->crowded = 0;
    PyObject *id = PyLong_FromLong(stream->id);
    if (id == NULL)
        return -1;
    int failed = PyList_Append(self->drained, id);
    Py_DECREF(id);
    return failed;
}

static PyObject *metadata_of(Session *self, Stream *stream)
{
    if (stream->metadata == NULL)
        return Py_NewRef(self->no_metadata);
    return PyList_AsTuple(stream->metadata);
}

static PyObject *timeout_of(Stream *stream)
{
    if (stream->timeout < 0)
        Py_RETURN_NONE;
    return PyFloat_FromDouble(stream->timeout);
}

/* A whole message; one that is compressed comes with its encoding, as a pair. Steals nothing. */
static PyObject *taken_message(Stream *stream)
{
    PyObject *message = stream->message;
    stream->message = NULL;
    stream->head_bytes = 0;
    stream->filled = stream->size = 0;
    if (message == NULL || !stream->head[0])
        return message;
    return Py_BuildValue("(NN)", stream->encoding ? Py_NewRef(stream->encoding) : PyUnicode_FromString("identity"), message);
}

static int emit_call(Session *self, Stream *stream, PyObject *message)
{
    PyObject *event = PyTuple_New(6);
    if (event == NULL) {
        Py_XDECREF(message);
        return -1;
    }
    PyTuple_SET_ITEM(event, 0, PyLong_FromLong(CALL));
    PyTuple_SET_ITEM(event, 1, PyLong_FromLong(stream->id));
    PyTuple_SET_ITEM(event, 2, Py_NewRef(stream->path));
    PyTuple_SET_ITEM(event, 3, timeout_of(stream));
    PyTuple_SET_ITEM(event, 4, metadata_of(self, stream));
    PyTuple_SET_ITEM(event, 5, message == NULL ? Py_NewRef(Py_None) : message);
    for (int i = 0; i < 6; i++)
        if (PyTuple_GET_ITEM(event, i) == NULL) {
            Py_DECREF(event);
            return -1;
        }
    stream->announced = 1;
    return emit(self, event);
}

static int emit_pair(Session *self, int kind, int32_t id, PyObject *stolen)
{
    if (stolen == NULL)
        return -1;
    return emit(self, Py_BuildValue("(iiN)", kind, (int)id, stolen));
}

static int emit_status(Session *self, Stream *stream)
{
    stream->answered = 1;
    if (stream->whole != NULL && stream->grpc_status == 0 && stream->metadata == NULL && stream->http_status == 200) {
        PyObject *whole = stream->whole;
        stream->whole = NULL;
        return emit_pair(self, ANSWER, stream->id, whole);
    }
    if (stream->whole != NULL) {
        PyObject *whole = stream->whole;
        stream->whole = NULL;
        if (emit_pair(self, MESSAGE, stream->id, whole) < 0)
            return -1;
    }
    PyObject *metadata = metadata_of(self, stream);
    if (metadata == NULL)
        return -1;
    return emit(self, Py_BuildValue("(iiiiONO)", STATUS, (int)stream->id, stream->http_status, stream->grpc_status,
                                    stream->text ? stream->text : Py_None, metadata,
                                    stream->content_type ? stream->content_type : Py_None));
}

/* -- Headers */

#define IS(literal) (namelen == sizeof(literal) - 1 && memcmp(name, literal, sizeof(literal) - 1) == 0)

/* "20S", "100m", …: at most eight digits and a unit. Negative if it is none. */
static double parse_timeout(const uint8_t *text, size_t size)
{
    if (size < 2 || size > 9)
        return -1.0;
    double number = 0;
    for (size_t i = 0; i + 1 < size; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1.0;
        number = number * 10 + (text[i] - '0');
    }
    switch (text[size - 1]) {
    case 'H':
        return number * 3600;
    case 'M':
        return number * 60;
    case 'S':
        return number;
    case 'm':
        return number / 1e3;
    case 'u':
        return number / 1e6;
    case 'n':
        return number / 1e9;
    }
    return -1.0;
}

static int small_number(const uint8_t *text, size_t size)
{
    int number = 0;
    if (size == 0 || size > 4)
        return -1;
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        number = number * 10 + (text[i] - '0');
    }
    return number;
}

static int add_metadata(Stream *stream, const uint8_t *name, size_t namelen, const uint8_t *value, size_t valuelen)
{
    if (stream->metadata == NULL && (stream->metadata = PyList_New(0)) == NULL)
        return -1;
    PyObject *pair = Py_BuildValue("(NN)", PyUnicode_DecodeLatin1((const char *)name, (Py_ssize_t)namelen, NULL),
                                   PyUnicode_DecodeLatin1((const char *)value, (Py_ssize_t)valuelen, NULL));
    if (pair == NULL)
        return -1;
    int failed = PyList_Append(stream->metadata, pair);
    Py_DECREF(pair);
    return failed;
}

static int set_text(PyObject **to, const uint8_t *value, size_t size)
{
    PyObject *text = PyUnicode_DecodeLatin1((const char *)value, (Py_ssize_t)size, NULL);
    if (text == NULL)
        return -1;
    Py_XSETREF(*to, text);
    return 0;
}

static int take_header(Session *self, Stream *stream, const uint8_t *name, size_t namelen, const uint8_t *value,
                       size_t valuelen)
{
    if (name[0] == ':') {
        if (IS(":path")) {
            if (self->path != NULL && (size_t)PyUnicode_GET_LENGTH(self->path) == valuelen &&
                memcmp(PyUnicode_DATA(self->path), value, valuelen) == 0) {
                Py_XSETREF(stream->path, Py_NewRef(self->path));
                return 0;
            }
            if (set_text(&stream->path, value, valuelen) < 0)
                return -1;
            /* Remembered as ASCII, so that its characters are its bytes. */
            if (PyUnicode_IS_ASCII(stream->path))
                Py_XSETREF(self->path, Py_NewRef(stream->path));
            return 0;
        }
        if (IS(":status"))
            stream->http_status = small_number(value, valuelen);
        else if (IS(":method"))
            stream->is_post = valuelen == 4 && memcmp(value, "POST", 4) == 0;
        return 0;
    }
    if (IS("content-type")) {
        stream->is_grpc = valuelen >= 16 && memcmp(value, "application/grpc", 16) == 0 &&
                          (valuelen == 16 || value[16] == '+' || value[16] == ';');
        return self->server ? 0 : set_text(&stream->content_type, value, valuelen);
    }
    if (IS("te") || IS("user-agent") || IS("grpc-accept-encoding") || IS("accept-encoding") || IS("content-length"))
        return 0;
    if (IS("grpc-encoding"))
        return set_text(&stream->encoding, value, valuelen);
    if (self->server) {
        if (IS("grpc-timeout")) {
            stream->timeout = parse_timeout(value, valuelen);
            return 0;
        }
    } else {
        if (IS("grpc-status")) {
            stream->grpc_status = small_number(value, valuelen);
            return 0;
        }
        if (IS("grpc-message"))
            return set_text(&stream->text, value, valuelen);
    }
    return add_metadata(stream, name, namelen, value, valuelen);
}

/* -- Callbacks of what comes in. */

static int callback_failed(Session *self)
{
    self->broken = 1;
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    Session *self = user;
    if (!self->server || frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    Stream *stream = make_stream(self, frame->hd.stream_id);
    if (stream == NULL)
        return callback_failed(self);
    nghttp2_session_set_stream_user_data(session, stream->id, stream);
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t namelen,
                     const uint8_t *value, size_t valuelen, uint8_t flags, void *user)
{
    Session *self = user;
    (void)flags;
    Stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (stream == NULL || stream->ignored || namelen == 0)
        return 0;
    stream->metadata_bytes += (Py_ssize_t)(namelen + valuelen);
    if (stream->metadata_bytes > MAX_METADATA) {
        stream->ignored = 1;
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* resets the stream */
    }
    return take_header(self, stream, name, namelen, value, valuelen) < 0 ? callback_failed(self) : 0;
}

static int refuse_http(nghttp2_session *session, int32_t id, const char *status)
{
    nghttp2_nv headers[] = {
        {(uint8_t *)":status", (uint8_t *)status, 7, 3, NGHTTP2_NV_FLAG_NONE},
    };
    return nghttp2_submit_response(session, id, headers, 1, NULL);
}

/* The peer has sent END_STREAM. */
static int peer_is_done(Session *self, Stream *stream)
{
    stream->peer_done = 1;
    if (stream->ignored)
        return 0;
    if (self->server) {
        if (stream->announced)
            return stream->conversing ? emit(self, Py_BuildValue("(ii)", END, (int)stream->id)) : 0;
        /* No message, or half of one. */
        Py_CLEAR(stream->message);
        return emit_call(self, stream, NULL);
    }
    if (stream->answered)
        return 0;
    return emit_status(self, stream);
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    Session *self = user;
    if (frame->hd.type == NGHTTP2_SETTINGS) {
        self->greeted = 1;
        return 0;
    }
    if (frame->hd.type == NGHTTP2_GOAWAY && !self->server) {
        if (emit(self, Py_BuildValue("(iik)", GOAWAY, (int)frame->goaway.last_stream_id,
                                     (unsigned long)frame->goaway.error_code)) < 0)
            return callback_failed(self);
        return 0;
    }
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
        return 0;
    Stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (stream == NULL)
        return 0;
    if (self->server && frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST &&
        !(stream->is_post && stream->is_grpc && stream->path != NULL)) {
        stream->ignored = 1;
        return refuse_http(session, stream->id, stream->is_post ? "415" : "405") ? callback_failed(self) : 0;
    }
    if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM && peer_is_done(self, stream) < 0)
        return callback_failed(self);
    return 0;
}

/* A message's head has come. 1: go on; 0: it is too large, and the stream is over; -1: an exception. */
static int begin_message(Session *self, Stream *stream)
{
    uint64_t size = (uint64_t)stream->head[1] << 24 | (uint64_t)stream->head[2] << 16 | (uint64_t)stream->head[3] << 8 |
                    (uint64_t)stream->head[4];
    if (size > (uint64_t)self->max_message) {
        stream->ignored = 1;
        if (!self->server) {
            stream->answered = 1;
            return emit(self, Py_BuildValue("(iiK)", TOO_LARGE, (int)stream->id, (unsigned long long)size)) < 0 ? -1 : 0;
        }
        if (stream->announced)
            return 0;
        stream->announced = 1;
        PyObject *timeout = timeout_of(stream), *metadata = metadata_of(self, stream);
        if (timeout == NULL || metadata == NULL) {
            Py_XDECREF(timeout);
            Py_XDECREF(metadata);
            return -1;
        }
        return emit(self, Py_BuildValue("(iiONNK)", TOO_LARGE, (int)stream->id, stream->path, timeout, metadata,
                                        (unsigned long long)size)) < 0 ? -1 : 0;
    }
    stream->size = (Py_ssize_t)size;
    stream->filled = 0;
    stream->message = PyBytes_FromStringAndSize(NULL, stream->size < FIRST_BUFFER ? stream->size : FIRST_BUFFER);
    return stream->message == NULL ? -1 : 1;
}

static int end_message(Session *self, Stream *stream)
{
    PyObject *message = taken_message(stream);
    if (message == NULL)
        return -1;
    if (self->server)
        return stream->announced ? emit_pair(self, MESSAGE, stream->id, message) : emit_call(self, stream, message);
    if (stream->streaming)
        return emit_pair(self, MESSAGE, stream->id, message);
    if (stream->whole != NULL) { /* two answers to one unary call: the later one is an event, which nobody expects */
        int failed = emit_pair(self, MESSAGE, stream->id, stream->whole);
        stream->whole = NULL;
        if (failed) {
            Py_DECREF(message);
            return -1;
        }
    }
    stream->whole = message;
    return 0;
}

static int take_data(Session *self, Stream *stream, const uint8_t *data, size_t size)
{
    while (size > 0 && !stream->ignored) {
        if (stream->message == NULL) {
            size_t wanted = (size_t)(HEAD - stream->head_bytes), taken = size < wanted ? size : wanted;
            memcpy(stream->head + stream->head_bytes, data, taken);
            stream->head_bytes += (int)taken;
            data += taken;
            size -= taken;
            if (stream->head_bytes < HEAD)
                return 0;
            int going = begin_message(self, stream);
            if (going <= 0)
                return going;
        }
        Py_ssize_t room = PyBytes_GET_SIZE(stream->message), left = stream->size - stream->filled;
        Py_ssize_t taken = (Py_ssize_t)size < left ? (Py_ssize_t)size : left;
        if (stream->filled + taken > room) {
            room = room * 2 > stream->filled + taken ? room * 2 : stream->filled + taken;
            if (_PyBytes_Resize(&stream->message, room < stream->size ? room : stream->size) < 0)
                return -1;
        }
        memcpy(PyBytes_AS_STRING(stream->message) + stream->filled, data, (size_t)taken);
        stream->filled += taken;
        data += taken;
        size -= (size_t)taken;
        if (stream->filled == stream->size && end_message(self, stream) < 0)
            return -1;
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t size, void *user)
{
    Session *self = user;
    (void)flags;
    Stream *stream = nghttp2_session_get_stream_user_data(session, id);
    if (self->server && self->queued > UNREAD)
        self->withheld += size;
    else
        nghttp2_session_consume_connection(session, size);
    if (stream == NULL)
        return 0;
    if (!stream->streaming) {
        nghttp2_session_consume_stream(session, id, size);
        return take_data(self, stream, data, size) < 0 ? callback_failed(self) : 0;
    }
    /* Who reads sets the pace, see consume(); but a message that is larger than the window has to come nevertheless. */
    stream->unconsumed += size;
    if (take_data(self, stream, data, size) < 0)
        return callback_failed(self);
    if (stream->message != NULL && (size_t)stream->size > self->window / 2) {
        nghttp2_session_consume_stream(session, id, stream->unconsumed);
        stream->unconsumed = 0;
    }
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
    Session *self = user;
    Stream *stream = nghttp2_session_get_stream_user_data(session, id);
    if (stream == NULL)
        return 0;
    int failed = 0;
    /* A server's stream that was never announced has nobody to tell; a client's call that has its end, likewise. */
    if (self->server ? stream->announced && !stream->answered : !stream->answered)
        failed = emit_gone(self, id, code);
    if (stream->crowded && !failed)
        failed = note_drained(self, stream);
    nghttp2_session_set_stream_user_data(session, id, NULL);
    free_stream(self, stream);
    return failed ? callback_failed(self) : 0;
}

/* -- What goes out. */

static int reserve(Session *self, size_t more)
{
    if (more <= self->out_capacity - self->out_size)
        return 1;
    size_t capacity = (self->out_size + more) * 2;
    unsigned char *out = PyMem_Realloc(self->out, capacity);
    if (out == NULL)
        return 0;
    self->out = out;
    self->out_capacity = capacity;
    return 1;
}

static ssize_t on_read_length(nghttp2_session *session, uint8_t type, int32_t id, int32_t window, int32_t stream_window,
                              uint32_t frame, void *user)
{
    (void)session, (void)type, (void)id, (void)user;
    ssize_t most = frame < MAX_FRAME ? (ssize_t)frame : MAX_FRAME;
    most = most < window ? most : window;
    return most < stream_window ? most : stream_window;
}

static nghttp2_nv header(const char *name, size_t namelen, const char *value, size_t valuelen, uint8_t flags)
{
    nghttp2_nv made = {(uint8_t *)name, (uint8_t *)value, namelen, valuelen, flags};
    return made;
}

#define STATIC(name, value) header(name, sizeof(name) - 1, value, sizeof(value) - 1, \
                                   NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE)

/* Headers made of Python's objects: what nghttp2 has copied when it is given them. */
typedef struct {
    nghttp2_nv *items;
    size_t size, capacity;
} Headers;

static int add_header(Headers *to, nghttp2_nv item)
{
    if (to->size == to->capacity) {
        size_t capacity = to->capacity * 2 + 8;
        nghttp2_nv *items = PyMem_Realloc(to->items, capacity * sizeof(nghttp2_nv));
        if (items == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        to->items = items;
        to->capacity = capacity;
    }
    to->items[to->size++] = item;
    return 0;
}

/* Metadata: pairs of a str and a bytes or str, ready for the wire. */
static int add_pairs(Headers *to, PyObject *pairs)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(pairs); i++) {
        PyObject *pair = PyTuple_GET_ITEM(pairs, i);
        const char *name, *value;
        Py_ssize_t namelen, valuelen;
        if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2) {
            PyErr_SetString(PyExc_TypeError, "metadata are pairs");
            return -1;
        }
        if ((name = PyUnicode_AsUTF8AndSize(PyTuple_GET_ITEM(pair, 0), &namelen)) == NULL)
            return -1;
        PyObject *said = PyTuple_GET_ITEM(pair, 1);
        if (PyBytes_Check(said)) {
            value = PyBytes_AS_STRING(said);
            valuelen = PyBytes_GET_SIZE(said);
        } else if ((value = PyUnicode_AsUTF8AndSize(said, &valuelen)) == NULL) {
            return -1;
        }
        /* Not into the peer's table: hardly any two requests have the same. */
        if (add_header(to, header(name, (size_t)namelen, value, (size_t)valuelen, NGHTTP2_NV_FLAG_NO_INDEX)) < 0)
            return -1;
    }
    return 0;
}

static const char *const DIGITS[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16"};

static int add_end(Headers *to, Stream *stream)
{
    int code = stream->end_code;
    const char *digits = DIGITS[code < 0 || code > 16 ? 2 : code];
    if (add_header(to, header("grpc-status", 11, digits, strlen(digits), NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE)) < 0)
        return -1;
    if (stream->end_text != NULL && PyBytes_GET_SIZE(stream->end_text) > 0 &&
        add_header(to, header("grpc-message", 12, PyBytes_AS_STRING(stream->end_text), (size_t)PyBytes_GET_SIZE(stream->end_text),
                              NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_INDEX)) < 0)
        return -1;
    return stream->end_metadata == NULL ? 0 : add_pairs(to, stream->end_metadata);
}

static int submit_end(nghttp2_session *session, Stream *stream)
{
    if (stream->end_code == 0 && stream->end_metadata == NULL) { /* as every good answer ends */
        nghttp2_nv fine = STATIC("grpc-status", "0");
        return nghttp2_submit_trailer(session, stream->id, &fine, 1);
    }
    Headers headers = {0};
    int result = add_end(&headers, stream) < 0 ? NGHTTP2_ERR_CALLBACK_FAILURE
                                               : nghttp2_submit_trailer(session, stream->id, headers.items, headers.size);
    PyMem_Free(headers.items);
    return result;
}

static ssize_t on_read(nghttp2_session *session, int32_t id, uint8_t *buffer, size_t length, uint32_t *flags,
                       nghttp2_data_source *source, void *user)
{
    Session *self = user;
    Stream *stream = source->ptr;
    (void)id, (void)buffer;
    if (stream->queued == 0 && !stream->ending) {
        stream->deferred = 1;
        return NGHTTP2_ERR_DEFERRED;
    }
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if ((size_t)stream->queued <= length && stream->ending) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (self->server) {
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            int failed = submit_end(session, stream);
            if (failed)
                return PyErr_Occurred() ? (self->broken = 1, NGHTTP2_ERR_CALLBACK_FAILURE) : failed;
        }
    }
    return (size_t)stream->queued < length ? stream->queued : (ssize_t)length;
}

/* Take bytes off a stream's queue into the output. */
static void write_queued(Session *self, Stream *stream, size_t length)
{
    unsigned char *to = self->out + self->out_size;
    stream->queued -= (Py_ssize_t)length;
    self->queued -= (Py_ssize_t)length;
    self->out_size += length;
    while (length > 0) {
        PyObject *message = stream->queue[stream->first];
        size_t size = (size_t)PyBytes_GET_SIZE(message), sent = (size_t)stream->sent, part;
        if (sent < HEAD) {
            unsigned char head[HEAD] = {0, (unsigned char)(size >> 24), (unsigned char)(size >> 16),
                                        (unsigned char)(size >> 8), (unsigned char)size};
            part = HEAD - sent < length ? HEAD - sent : length;
            memcpy(to, head + sent, part);
        } else {
            part = size + HEAD - sent < length ? size + HEAD - sent : length;
            memcpy(to, PyBytes_AS_STRING(message) + (sent - HEAD), part);
        }
        to += part;
        length -= part;
        stream->sent += (Py_ssize_t)part;
        if ((size_t)stream->sent == size + HEAD) {
            Py_DECREF(message);
            stream->queue[stream->first++] = NULL;
            stream->sent = 0;
            if (--stream->count == 0)
                stream->first = 0;
        }
    }
}

static int on_send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head, size_t length,
                        nghttp2_data_source *source, void *user)
{
    Session *self = user;
    Stream *stream = source->ptr;
    (void)session, (void)frame; /* no padding: nobody asks for it */
    if (self->out_size - self->out_start >= self->out_limit)
        return NGHTTP2_ERR_WOULDBLOCK; /* it is asked again; else all of a large message would be here at once */
    if (!reserve(self, 9 + length))
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    memcpy(self->out + self->out_size, head, 9);
    self->out_size += 9;
    write_queued(self, stream, length);
    if (stream->crowded && stream->queued <= self->crowd / 2 && note_drained(self, stream) < 0)
        return callback_failed(self);
    return 0;
}

/* A server's end was sent and its client still sends: it need not. */
static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    Session *self = user;
    if (!self->server || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM) ||
        (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA))
        return 0;
    Stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (stream != NULL && !stream->peer_done)
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_NO_ERROR);
    return 0;
}

static int enqueue(Session *self, Stream *stream, PyObject *message)
{
    if (stream->first + stream->count == stream->capacity) {
        if (stream->first > 0) {
            memmove(stream->queue, stream->queue + stream->first, (size_t)stream->count * sizeof(PyObject *));
            stream->first = 0;
        } else {
            Py_ssize_t capacity = stream->capacity * 2 + 1;
            PyObject **queue = PyMem_Realloc(stream->queue, (size_t)capacity * sizeof(PyObject *));
            if (queue == NULL) {
                PyErr_NoMemory();
                return -1;
            }
            stream->queue = queue;
            stream->capacity = capacity;
        }
    }
    stream->queue[stream->first + stream->count++] = Py_NewRef(message);
    stream->queued += PyBytes_GET_SIZE(message) + HEAD;
    self->queued += PyBytes_GET_SIZE(message) + HEAD;
    return 0;
}

static int fail_with(int code)
{
    if (code == NGHTTP2_ERR_NOMEM)
        PyErr_NoMemory();
    else if (!PyErr_Occurred())
        PyErr_SetString(ProtocolError, nghttp2_strerror(code));
    return -1;
}

/* Begin a server's response, its headers with what is queued behind them. */
static int begin_response(Session *self, Stream *stream)
{
    nghttp2_nv headers[] = {STATIC(":status", "200"), STATIC("content-type", "application/grpc")};
    nghttp2_data_provider provider = {.source = {.ptr = stream}, .read_callback = on_read};
    int failed = nghttp2_submit_response(self->session, stream->id, headers, 2, &provider);
    if (failed)
        return fail_with(failed);
    stream->begun = 1;
    return 0;
}

static int go_on(Session *self, Stream *stream)
{
    if (!stream->begun)
        return begin_response(self, stream);
    if (stream->deferred) {
        stream->deferred = 0;
        int failed = nghttp2_session_resume_data(self->session, stream->id);
        if (failed)
            return fail_with(failed);
    }
    return 0;
}

/* The end of a server's stream: trailers only, if nothing was sent; else after what is queued. */
static int end_response(Session *self, Stream *stream, int code, PyObject *text, PyObject *metadata)
{
    stream->end_code = code;
    stream->end_text = Py_XNewRef(text);
    stream->end_metadata = metadata != NULL && PyTuple_GET_SIZE(metadata) > 0 ? Py_NewRef(metadata) : NULL;
    stream->ending = stream->answered = 1;
    if (stream->begun || stream->count > 0)
        return go_on(self, stream);
    Headers headers = {0};
    int failed = -1;
    if (add_header(&headers, STATIC(":status", "200")) == 0 &&
        add_header(&headers, STATIC("content-type", "application/grpc")) == 0 && add_end(&headers, stream) == 0) {
        failed = nghttp2_submit_response(self->session, stream->id, headers.items, headers.size, NULL);
        if (failed)
            fail_with(failed);
    }
    PyMem_Free(headers.items);
    return failed ? -1 : 0;
}

/* -- The Session as Python sees it. */

static int session_init(Session *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"server", "max_message", "crowd", "window", "streams", "authority", "scheme", "agent", NULL};
    int server;
    unsigned window, streams;
    PyObject *authority = NULL, *scheme = NULL, *agent = NULL;
    Py_ssize_t max_message, crowd;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "pnnII|SSS", names, &server, &max_message, &crowd, &window, &streams,
                                     &authority, &scheme, &agent))
        return -1;
    if (self->session != NULL) {
        PyErr_SetString(PyExc_TypeError, "a Session is made once");
        return -1;
    }
    self->server = server;
    self->window = window;
    self->max_message = max_message;
    self->crowd = crowd;
    self->authority = Py_XNewRef(authority);
    self->scheme = Py_XNewRef(scheme);
    self->agent = Py_XNewRef(agent);
    self->streams.previous = self->streams.next = &self->streams;
    if ((self->drained = PyList_New(0)) == NULL || (self->no_metadata = PyTuple_New(0)) == NULL)
        return -1;

    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    int failed = nghttp2_session_callbacks_new(&callbacks);
    if (!failed)
        failed = nghttp2_option_new(&option);
    if (!failed) {
        nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
        nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
        nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
        nghttp2_session_callbacks_set_send_data_callback(callbacks, on_send_data);
        nghttp2_session_callbacks_set_data_source_read_length_callback(callbacks, on_read_length);
        nghttp2_option_set_no_auto_window_update(option, 1);
        /* A token with a space before or behind it is refused by who reads it, with a status. */
        nghttp2_option_set_no_rfc9113_leading_and_trailing_ws_validation(option, 1);
        failed = server ? nghttp2_session_server_new2(&self->session, callbacks, self, option)
                        : nghttp2_session_client_new2(&self->session, callbacks, self, option);
    }
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_option_del(option);
    if (!failed) {
        nghttp2_settings_entry settings[] = {
            {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window},
            {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, MAX_FRAME},
            {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, MAX_METADATA},
            {server ? NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS : NGHTTP2_SETTINGS_ENABLE_PUSH, server ? streams : 0},
        };
        failed = nghttp2_submit_settings(self->session, NGHTTP2_FLAG_NONE, settings, 4);
    }
    if (!failed) /* a client's: every stream's reader has its own, and this must not be in their way */
        failed = nghttp2_session_set_local_window_size(self->session, NGHTTP2_FLAG_NONE, 0, server ? SERVER_WINDOW : 0x7fffffff);
    return failed ? fail_with(failed) : 0;
}

static void session_dealloc(Session *self)
{
    while (self->streams.next != NULL && self->streams.next != &self->streams)
        free_stream(self, self->streams.next);
    nghttp2_session_del(self->session);
    PyMem_Free(self->out);
    Py_XDECREF(self->events);
    Py_XDECREF(self->drained);
    Py_XDECREF(self->path);
    Py_XDECREF(self->no_metadata);
    Py_XDECREF(self->authority);
    Py_XDECREF(self->scheme);
    Py_XDECREF(self->agent);
    PyTypeObject *type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}

/* Feed what came to nghttp2, which calls back; `self->events` is there. */
static int feed(Session *self, const void *data, size_t size)
{
    ssize_t result = nghttp2_session_mem_recv(self->session, data, size);
    return result < 0 ? fail_with((int)result) : 0;
}

static PyObject *session_receive(Session *self, PyObject *data)
{
    Py_buffer view;
    if (PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) < 0)
        return NULL;
    PyObject *events = self->events = PyList_New(0);
    if (events != NULL && feed(self, view.buf, (size_t)view.len) < 0)
        Py_CLEAR(events);
    self->events = NULL;
    PyBuffer_Release(&view);
    return events;
}

static PyObject *session_read(Session *self, PyObject *argument)
{
    long fd = PyLong_AsLong(argument);
    if (fd == -1 && PyErr_Occurred())
        return NULL;
    unsigned char buffer[READ_BYTES];
    PyObject *events = self->events = PyList_New(0);
    for (int i = 0; i < READ_TIMES && events != NULL; i++) {
        ssize_t size = recv((int)fd, buffer, sizeof(buffer), MSG_DONTWAIT);
        if (size < 0) {
            if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
                break;
            PyErr_SetFromErrno(PyExc_OSError);
            Py_CLEAR(events);
        } else if (size == 0) { /* what came before the end is told first: the end stays there to be read again */
            if (PyList_GET_SIZE(events) == 0)
                Py_SETREF(events, Py_NewRef(Py_None));
            break;
        } else if (feed(self, buffer, (size_t)size) < 0) {
            Py_CLEAR(events);
        } else if ((size_t)size < sizeof(buffer)) {
            break;
        }
    }
    self->events = NULL;
    return events;
}

/* Have nghttp2 make bytes until there are about `limit`. */
static int fill(Session *self, size_t limit)
{
    self->out_limit = limit;
    while (self->out_size - self->out_start < limit) {
        const uint8_t *data;
        if (self->withheld > 0 && self->queued <= UNREAD / 2) {
            nghttp2_session_consume_connection(self->session, self->withheld);
            self->withheld = 0;
        }
        ssize_t size = nghttp2_session_mem_send(self->session, &data);
        if (size < 0)
            return fail_with((int)size);
        if (size == 0)
            break;
        if (!reserve(self, (size_t)size)) {
            PyErr_NoMemory();
            return -1;
        }
        memcpy(self->out + self->out_size, data, (size_t)size);
        self->out_size += (size_t)size;
    }
    return 0;
}

static void empty(Session *self)
{
    self->out_start = self->out_size = 0;
    if (self->out_capacity > 4 * WRITE_BYTES) { /* after a very large frame */
        PyMem_Free(self->out);
        self->out = NULL;
        self->out_capacity = 0;
    }
}

static PyObject *session_output(Session *self, PyObject *argument)
{
    Py_ssize_t limit = PyLong_AsSsize_t(argument);
    if (limit < 0)
        return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_ValueError, "a limit is no negative number");
    if (fill(self, (size_t)limit) < 0)
        return NULL;
    PyObject *made = PyBytes_FromStringAndSize((const char *)self->out + self->out_start,
                                               (Py_ssize_t)(self->out_size - self->out_start));
    empty(self);
    return made;
}

static PyObject *session_write(Session *self, PyObject *argument)
{
    long fd = PyLong_AsLong(argument);
    if (fd == -1 && PyErr_Occurred())
        return NULL;
    for (;;) {
        if (self->out_start == self->out_size) {
            empty(self);
            if (fill(self, WRITE_BYTES) < 0)
                return NULL;
            if (self->out_size == 0)
                Py_RETURN_TRUE;
        }
        size_t left = self->out_size - self->out_start;
        const unsigned char *from = self->out + self->out_start;
        ssize_t size;
        int failure;
        if (left >= LONG_WRITE) {
            Py_BEGIN_ALLOW_THREADS
            size = send((int)fd, from, left, MSG_DONTWAIT | MSG_NOSIGNAL);
            failure = errno;
            Py_END_ALLOW_THREADS
        } else {
            size = send((int)fd, from, left, MSG_DONTWAIT | MSG_NOSIGNAL);
            failure = errno;
        }
        if (size < 0) {
            if (failure == EINTR)
                continue;
            if (failure == EAGAIN || failure == EWOULDBLOCK)
                Py_RETURN_FALSE;
            errno = failure;
            return PyErr_SetFromErrno(PyExc_OSError);
        }
        self->out_start += (size_t)size;
    }
}

static int check_message(PyObject *message)
{
    if (PyBytes_Check(message) && PyBytes_GET_SIZE(message) <= UINT32_MAX)
        return 1;
    PyErr_SetString(PyExc_TypeError, "a message is bytes, and fewer than 4 GiB");
    return 0;
}

/* A server's stream that can still be answered; NULL without an exception if it is gone. */
static Stream *answerable(Session *self, PyObject *id)
{
    long number = PyLong_AsLong(id);
    if (number == -1 && PyErr_Occurred())
        return NULL;
    Stream *stream = number > 0 && number <= INT32_MAX ? stream_of(self, (int32_t)number) : NULL;
    return stream == NULL || stream->answered ? NULL : stream;
}

static PyObject *gone(void)
{
    if (PyErr_Occurred())
        return NULL;
    Py_RETURN_FALSE;
}

static PyObject *session_respond(Session *self, PyObject *const *args, Py_ssize_t count)
{
    if (count != 2 || !check_message(args[1]))
        return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_TypeError, "respond(stream, message)");
    Stream *stream = answerable(self, args[0]);
    if (stream == NULL)
        return gone();
    if (enqueue(self, stream, args[1]) < 0)
        return NULL;
    stream->ending = stream->answered = 1;
    return go_on(self, stream) < 0 ? NULL : Py_NewRef(Py_True);
}

static PyObject *session_send(Session *self, PyObject *const *args, Py_ssize_t count)
{
    if (count != 2 || !check_message(args[1]))
        return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_TypeError, "send(stream, message)");
    long number = PyLong_AsLong(args[0]);
    if (number == -1 && PyErr_Occurred())
        return NULL;
    Stream *stream = stream_of(self, (int32_t)number);
    if (stream == NULL || stream->ending)
        return PyLong_FromLong(-1);
    if (enqueue(self, stream, args[1]) < 0 || (self->server ? go_on(self, stream) : 0) < 0)
        return NULL;
    if (stream->queued > self->crowd)
        stream->crowded = 1;
    return PyLong_FromSsize_t(stream->queued);
}

static PyObject *session_finish(Session *self, PyObject *args)
{
    PyObject *id, *text, *metadata;
    int code;
    if (!PyArg_ParseTuple(args, "OiSO!", &id, &code, &text, &PyTuple_Type, &metadata))
        return NULL;
    Stream *stream = answerable(self, id);
    if (stream == NULL)
        return gone();
    return end_response(self, stream, code, text, metadata) < 0 ? NULL : Py_NewRef(Py_True);
}

static PyObject *session_request(Session *self, PyObject *const *args, Py_ssize_t count)
{
    /* path, timeout or None, metadata, message, streaming */
    if (count != 5 || !PyBytes_Check(args[0]) || !PyTuple_Check(args[2]) || self->server)
        return PyErr_Format(PyExc_TypeError, "request(path, timeout, metadata, message, streaming), of a client");
    if (!check_message(args[3]))
        return NULL;
    int streaming = PyObject_IsTrue(args[4]);
    if (streaming < 0)
        return NULL;
    Headers headers = {0};
    Stream *stream = NULL;
    int32_t id = 0;
    uint8_t fixed = NGHTTP2_NV_FLAG_NO_COPY_NAME;
#define ADD(name, object) add_header(&headers, header(name, sizeof(name) - 1, PyBytes_AS_STRING(object), (size_t)PyBytes_GET_SIZE(object), fixed))
    if (add_header(&headers, STATIC(":method", "POST")) < 0 || ADD(":scheme", self->scheme) < 0 ||
        ADD(":path", args[0]) < 0 || ADD(":authority", self->authority) < 0 ||
        add_header(&headers, STATIC("te", "trailers")) < 0 ||
        add_header(&headers, STATIC("content-type", "application/grpc")) < 0 || ADD("user-agent", self->agent) < 0)
        goto done;
    fixed |= NGHTTP2_NV_FLAG_NO_INDEX;
    if (args[1] != Py_None && (!PyBytes_Check(args[1]) || ADD("grpc-timeout", args[1]) < 0)) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError, "a timeout is bytes, as the wire has it, or None");
        goto done;
    }
#undef ADD
    if (add_pairs(&headers, args[2]) < 0 || (stream = make_stream(self, 0)) == NULL)
        goto done;
    if (enqueue(self, stream, args[3]) < 0) {
        free_stream(self, stream);
        goto done;
    }
    stream->ending = stream->begun = 1;
    stream->streaming = streaming != 0;
    nghttp2_data_provider provider = {.source = {.ptr = stream}, .read_callback = on_read};
    id = nghttp2_submit_request(self->session, NULL, headers.items, headers.size, &provider, stream);
    if (id < 0) {
        free_stream(self, stream);
        fail_with(id);
        id = 0;
    } else {
        stream->id = id;
    }
done:
    PyMem_Free(headers.items);
    return id > 0 ? PyLong_FromLong(id) : NULL;
}

static PyObject *session_converse(Session *self, PyObject *argument)
{
    long number = PyLong_AsLong(argument);
    if (number == -1 && PyErr_Occurred())
        return NULL;
    Stream *stream = number > 0 && number <= INT32_MAX ? stream_of(self, (int32_t)number) : NULL;
    if (stream == NULL)
        Py_RETURN_TRUE;
    stream->conversing = 1;
    return PyBool_FromLong(stream->peer_done);
}

static PyObject *session_reset(Session *self, PyObject *args)
{
    int id;
    unsigned code;
    if (!PyArg_ParseTuple(args, "iI", &id, &code))
        return NULL;
    Stream *stream = stream_of(self, id);
    if (stream != NULL)
        stream->answered = stream->ignored = 1; /* nobody is told of what its own side did */
    int failed = nghttp2_submit_rst_stream(self->session, NGHTTP2_FLAG_NONE, id, code);
    if (failed && failed != NGHTTP2_ERR_INVALID_ARGUMENT) {
        fail_with(failed);
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *session_consume(Session *self, PyObject *args)
{
    int id;
    Py_ssize_t size;
    if (!PyArg_ParseTuple(args, "in", &id, &size))
        return NULL;
    Stream *stream = stream_of(self, id);
    if (stream != NULL && size > 0) {
        size_t taken = (size_t)size < stream->unconsumed ? (size_t)size : stream->unconsumed;
        stream->unconsumed -= taken;
        int failed = nghttp2_session_consume_stream(self->session, id, taken);
        if (failed) {
            fail_with(failed);
            return NULL;
        }
    }
    Py_RETURN_NONE;
}

static PyObject *session_go_away(Session *self, PyObject *argument)
{
    int last = PyObject_IsTrue(argument);
    if (last < 0)
        return NULL;
    /* First a notice, which leaves time for requests that are on their way; then the last stream that was taken. */
    int failed = last ? nghttp2_submit_goaway(self->session, NGHTTP2_FLAG_NONE,
                                              nghttp2_session_get_last_proc_stream_id(self->session), NGHTTP2_NO_ERROR, NULL, 0)
                      : nghttp2_submit_shutdown_notice(self->session);
    if (failed) {
        fail_with(failed);
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *session_ping(Session *self, PyObject *Py_UNUSED(unused))
{
    int failed = nghttp2_submit_ping(self->session, NGHTTP2_FLAG_NONE, NULL);
    if (failed) {
        fail_with(failed);
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *session_take_drained(Session *self, PyObject *Py_UNUSED(unused))
{
    if (PyList_GET_SIZE(self->drained) == 0)
        return Py_NewRef(self->no_metadata);
    PyObject *drained = PyList_AsTuple(self->drained);
    if (drained != NULL && PyList_SetSlice(self->drained, 0, PyList_GET_SIZE(self->drained), NULL) < 0)
        Py_CLEAR(drained);
    return drained;
}

static PyObject *get_alive(Session *self, void *Py_UNUSED(unused))
{
    return PyBool_FromLong(nghttp2_session_want_read(self->session) || nghttp2_session_want_write(self->session));
}

static PyObject *get_greeted(Session *self, void *Py_UNUSED(unused))
{
    return PyBool_FromLong(self->greeted);
}

static PyObject *get_wants_output(Session *self, void *Py_UNUSED(unused))
{
    return PyBool_FromLong(nghttp2_session_want_write(self->session));
}

static PyObject *get_open(Session *self, void *Py_UNUSED(unused))
{
    return PyLong_FromSsize_t(self->open);
}

static PyObject *get_queued(Session *self, void *Py_UNUSED(unused))
{
    return PyLong_FromSsize_t(self->queued);
}

PyDoc_STRVAR(wait_doc,
"wait(fd, other, write, seconds, /)\n--\n\n"
"Wait until a socket has something to read, or has ended; with `write`, or takes more.\n\n"
"Args:\n"
"    fd: the socket.\n"
"    other: a descriptor that ends the wait when there is something to read.\n"
"    write: whether to wait for that, too.\n"
"    seconds: how long; None for as long as it takes.\n\n"
"Returns:\n"
"    Whether there is.\n\n"
"Raises:\n"
"    BaseException: what a signal's handler raised meanwhile.");

static PyObject *wait_for(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count)
{
    if (count != 4)
        return PyErr_Format(PyExc_TypeError, "wait takes 4 arguments, not %zd", count);
    long fd = PyLong_AsLong(args[0]), other = PyLong_AsLong(args[1]);
    int write = PyObject_IsTrue(args[2]);
    double seconds = args[3] == Py_None ? -1.0 : PyFloat_AsDouble(args[3]);
    if (PyErr_Occurred())
        return NULL;
    /* Rounded up: who waits for a deadline must not come back before it, and again and again. */
    double milliseconds = seconds * 1e3;
    int timeout = args[3] == Py_None ? -1 : milliseconds >= INT_MAX - 1 ? INT_MAX : milliseconds <= 0 ? 0 : (int)milliseconds + 1;
    struct pollfd both[] = {{.fd = (int)fd, .events = (short)(write ? POLLIN | POLLOUT : POLLIN)},
                            {.fd = (int)other, .events = POLLIN}};
    int ready, failure;
    Py_BEGIN_ALLOW_THREADS
    ready = poll(both, 2, timeout);
    failure = errno;
    Py_END_ALLOW_THREADS
    if (ready < 0) {
        errno = failure;
        if (failure != EINTR)
            return PyErr_SetFromErrno(PyExc_OSError);
        if (PyErr_CheckSignals() < 0)
            return NULL;
        Py_RETURN_FALSE; /* who waits looks at the clock, and waits again */
    }
    return PyBool_FromLong(ready);
}

static PyMethodDef module_functions[] = {
    {"wait", (PyCFunction)(void (*)(void))wait_for, METH_FASTCALL, wait_doc},
    {NULL, NULL, 0, NULL},
};

static PyMethodDef session_methods[] = {
    {"receive", (PyCFunction)session_receive, METH_O, "Take bytes that came; the events that they are."},
    {"read", (PyCFunction)session_read, METH_O, "Read a socket, without waiting; the events, None at its end."},
    {"write", (PyCFunction)session_write, METH_O, "Write to a socket, without waiting; whether all is written."},
    {"output", (PyCFunction)session_output, METH_O, "About so many bytes to send; none if there are none now."},
    {"respond", (PyCFunction)(void (*)(void))session_respond, METH_FASTCALL, "End a server's stream with one message."},
    {"send", (PyCFunction)(void (*)(void))session_send, METH_FASTCALL, "Queue a message; how many bytes are queued, or -1."},
    {"finish", (PyCFunction)session_finish, METH_VARARGS, "End a server's stream with a status."},
    {"request", (PyCFunction)(void (*)(void))session_request, METH_FASTCALL, "Begin a client's call; its stream."},
    {"converse", (PyCFunction)session_converse, METH_O, "Have a client's END told; whether it was there already."},
    {"reset", (PyCFunction)session_reset, METH_VARARGS, "Reset a stream with an HTTP/2 error code."},
    {"consume", (PyCFunction)session_consume, METH_VARARGS, "Let a stream's peer send so many bytes more."},
    {"go_away", (PyCFunction)session_go_away, METH_O, "Announce the end; with True, the last stream."},
    {"ping", (PyCFunction)session_ping, METH_NOARGS, "Send a PING."},
    {"take_drained", (PyCFunction)session_take_drained, METH_NOARGS, "Streams whose sender may go on."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef session_attributes[] = {
    {"alive", (getter)get_alive, NULL, "Whether the connection is to go on.", NULL},
    {"greeted", (getter)get_greeted, NULL, "Whether the peer has said that it speaks HTTP/2.", NULL},
    {"wants_output", (getter)get_wants_output, NULL, "Whether there may be bytes to send.", NULL},
    {"queued", (getter)get_queued, NULL, "How many bytes of messages are to be sent.", NULL},
    {"open", (getter)get_open, NULL, "How many streams are open.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot session_slots[] = {
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_init, session_init},
    {Py_tp_dealloc, session_dealloc},
    {Py_tp_methods, session_methods},
    {Py_tp_getset, session_attributes},
    {Py_tp_doc, "One connection: gRPC over HTTP/2, without I/O."},
    {0, NULL},
};

static PyType_Spec session_spec = {
    .name = "callgate.http2._session.Session",
    .basicsize = sizeof(Session),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = session_slots,
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, .m_name = "_session", .m_doc = "gRPC over HTTP/2 without I/O, on nghttp2.", .m_size = -1,
    .m_methods = module_functions,
};

PyMODINIT_FUNC PyInit__session(void)
{
    PyObject *made = PyModule_Create(&module);
    if (made == NULL)
        return NULL;
    ProtocolError = PyErr_NewException("callgate.http2._session.ProtocolError", PyExc_Exception, NULL);
    if (ProtocolError == NULL || PyModule_AddObjectRef(made, "ProtocolError", ProtocolError) < 0)
        goto failed;
    PyObject *type = PyType_FromSpec(&session_spec);
    if (type == NULL || PyModule_AddObjectRef(made, "Session", type) < 0)
        goto failed;
    Py_DECREF(type);
    return made;
failed:
    Py_DECREF(made);
    return NULL;
}
