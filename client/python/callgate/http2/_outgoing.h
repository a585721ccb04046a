/* What goes out: messages that are queued, the headers before them, the status behind them. */

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
