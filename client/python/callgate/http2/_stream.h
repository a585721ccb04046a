/* What _incoming.h and _outgoing.h share: a Session, its streams, and the events that it tells. */

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
    PyObject *events; /* of the receive() that runs; between two, what is told with the next */
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
    return emit(self, Py_BuildValue("(iik)", GONE, (int)id, (unsigned long)code));
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

/* -- What went wrong */

static int callback_failed(Session *self)
{
    self->broken = 1;
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int fail_with(int code)
{
    if (code == NGHTTP2_ERR_NOMEM)
        PyErr_NoMemory();
    else if (!PyErr_Occurred())
        PyErr_SetString(ProtocolError, nghttp2_strerror(code));
    return -1;
}
