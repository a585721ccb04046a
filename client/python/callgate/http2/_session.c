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

#include "_stream.h"

#include "_incoming.h"

#include "_outgoing.h"

/* Bytes read at once, onto the stack, and how often before others have their turn. */
#define READ_BYTES (64 << 10)
#define READ_TIMES 4

/* Bytes made for one send(), from which on it lets other threads of Python run. */
#define WRITE_BYTES (256 << 10)
#define LONG_WRITE (64 << 10)

static int begin_session(Session *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"server", "max_message", "crowd", "window", "streams", "authority", "scheme", "agent", NULL};
    int server;
    unsigned window, streams;
    PyObject *authority = NULL, *scheme = NULL, *agent = NULL;
    Py_ssize_t max_message, crowd;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "pnnII|SSS", names, &server, &max_message, &crowd, &window, &streams,
                                     &authority, &scheme, &agent))
        return -1;
    self->server = server;
    self->window = window;
    self->max_message = max_message;
    self->crowd = crowd;
    self->authority = Py_XNewRef(authority);
    self->scheme = Py_XNewRef(scheme);
    self->agent = Py_XNewRef(agent);
    self->streams.previous = self->streams.next = &self->streams;
    if ((self->events = PyList_New(0)) == NULL || (self->drained = PyList_New(0)) == NULL || (self->no_metadata = PyTuple_New(0)) == NULL)
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

static PyObject *session_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    Session *self = (Session *)type->tp_alloc(type, 0);
    if (self != NULL && begin_session(self, args, kwargs) < 0)
        Py_CLEAR(self);
    return (PyObject *)self;
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

/* Feed what came to nghttp2, which calls back. */
static int feed(Session *self, const void *data, size_t size)
{
    ssize_t result = nghttp2_session_mem_recv(self->session, data, size);
    return result < 0 ? fail_with((int)result) : 0;
}

static PyObject *taken_events(Session *self)
{
    PyObject *next = PyList_New(0), *events = self->events;
    if (next == NULL)
        return NULL;
    self->events = next;
    return events;
}

static PyObject *session_receive(Session *self, PyObject *data)
{
    Py_buffer view;
    if (PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) < 0)
        return NULL;
    int failed = feed(self, view.buf, (size_t)view.len);
    PyBuffer_Release(&view);
    return failed < 0 ? NULL : taken_events(self);
}

static PyObject *session_read(Session *self, PyObject *argument)
{
    long fd = PyLong_AsLong(argument);
    if (fd == -1 && PyErr_Occurred())
        return NULL;
    unsigned char buffer[READ_BYTES];
    for (int i = 0; i < READ_TIMES; i++) {
        ssize_t size = recv((int)fd, buffer, sizeof(buffer), MSG_DONTWAIT);
        if (size < 0) {
            if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
                break;
            return PyErr_SetFromErrno(PyExc_OSError);
        }
        if (size == 0) { /* what came before the end is told first: the end stays there to be read again */
            if (PyList_GET_SIZE(self->events) == 0)
                Py_RETURN_NONE;
            break;
        }
        if (feed(self, buffer, (size_t)size) < 0)
            return NULL;
        if ((size_t)size < sizeof(buffer))
            break;
    }
    return taken_events(self);
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

static PyObject *get_pending(Session *self, void *Py_UNUSED(unused))
{
    return PyBool_FromLong(PyList_GET_SIZE(self->events) > 0);
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
    {"pending", (getter)get_pending, NULL, "Whether there are events that writing brought; receive(b\"\") has them.", NULL},
    {"wants_output", (getter)get_wants_output, NULL, "Whether there may be bytes to send.", NULL},
    {"queued", (getter)get_queued, NULL, "How many bytes of messages are to be sent.", NULL},
    {"open", (getter)get_open, NULL, "How many streams are open.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot session_slots[] = {
    {Py_tp_new, session_new},
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
