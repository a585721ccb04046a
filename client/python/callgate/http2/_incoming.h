/* What comes in: nghttp2's callbacks, which put headers and data together to events. */

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
