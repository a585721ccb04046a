/* Threads that wait for something, and one that wakes many of them at once, without the GIL.
 *
 * A thread that is woken while another one holds the GIL runs, finds it taken, and waits again: two switches each. So
 * wake() gives the GIL back first. See docs/adr/0020-wake-without-the-gil.md.
 *
 * Safety: wake() holds a reference to each Wakeup until all are released; a Wakeup's lock is touched by wait() and
 * wake() alone, and a release that nobody waits for is remembered.
 */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <math.h>

/* The longest wait at a time, seconds: whoever waits longer waits again. Below PY_TIMEOUT_MAX on every platform. */
#define LONGEST 1000.0

typedef struct {
    PyObject_HEAD
    PyThread_type_lock lock; /* held until woken */
} Wakeup;

typedef struct {
    PyTypeObject *type;
} State;

static PyObject *new_wakeup(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    if (PyTuple_GET_SIZE(args) != 0 || (kwargs != NULL && PyDict_GET_SIZE(kwargs) != 0))
        return PyErr_Format(PyExc_TypeError, "Wakeup takes no arguments");
    Wakeup *self = (Wakeup *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->lock = PyThread_allocate_lock();
    if (self->lock == NULL) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    PyThread_acquire_lock(self->lock, NOWAIT_LOCK);
    return (PyObject *)self;
}

static void free_wakeup(Wakeup *self)
{
    PyTypeObject *type = Py_TYPE(self);
    if (self->lock != NULL) {
        PyThread_release_lock(self->lock); /* where it is no semaphore, a held lock must not be freed */
        PyThread_free_lock(self->lock);
    }
    type->tp_free(self);
    Py_DECREF(type);
}

/* Seconds of a clock that only goes forward. */
static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

PyDoc_STRVAR(wait_doc,
"wait(timeout, /)\n--\n\n"
"Wait until woken.\n\n"
"Args:\n"
"    timeout: seconds; None for as long as it takes.\n\n"
"Returns:\n"
"    Whether it was woken.\n\n"
"Raises:\n"
"    BaseException: what a signal's handler raises meanwhile.");

static PyObject *wait_wakeup(Wakeup *self, PyObject *timeout)
{
    double until = INFINITY;
    if (timeout != Py_None) {
        double seconds = PyFloat_AsDouble(timeout);
        if (seconds == -1.0 && PyErr_Occurred())
            return NULL;
        until = now() + (seconds > 0 ? seconds : 0); /* a NaN waits no longer than 0 */
    }
    for (;;) {
        double left = until == INFINITY ? LONGEST : until - now();
        PY_TIMEOUT_T microseconds = (PY_TIMEOUT_T)(1e6 * (left < 0 ? 0 : left > LONGEST ? LONGEST : left));
        PyLockStatus status;
        Py_BEGIN_ALLOW_THREADS
        status = PyThread_acquire_lock_timed(self->lock, microseconds, 1);
        Py_END_ALLOW_THREADS
        if (status == PY_LOCK_ACQUIRED)
            Py_RETURN_TRUE;
        if (status == PY_LOCK_INTR && Py_MakePendingCalls() < 0)
            return NULL;
        if (until != INFINITY && now() >= until)
            Py_RETURN_FALSE;
    }
}

PyDoc_STRVAR(wake_doc,
"wake(wakeups, /)\n--\n\n"
"Wake whoever waits for any of them, or will.\n\n"
"Args:\n"
"    wakeups: a list.\n\n"
"Raises:\n"
"    TypeError: if it is none, or something else is in it; nobody is woken.");

static PyObject *wake(PyObject *module, PyObject *wakeups)
{
    State *state = PyModule_GetState(module);
    if (!PyList_CheckExact(wakeups))
        return PyErr_Format(PyExc_TypeError, "wake takes a list of Wakeups");
    /* A tuple of its own: nobody can change it meanwhile. */
    PyObject *held = PyList_AsTuple(wakeups);
    if (held == NULL)
        return NULL;
    Py_ssize_t count = PyTuple_GET_SIZE(held);
    for (Py_ssize_t index = 0; index < count; index++)
        if (!Py_IS_TYPE(PyTuple_GET_ITEM(held, index), state->type)) {
            Py_DECREF(held);
            return PyErr_Format(PyExc_TypeError, "wake takes a list of Wakeups");
        }
    Py_BEGIN_ALLOW_THREADS
    for (Py_ssize_t index = 0; index < count; index++)
        PyThread_release_lock(((Wakeup *)PyTuple_GET_ITEM(held, index))->lock);
    Py_END_ALLOW_THREADS
    Py_DECREF(held);
    Py_RETURN_NONE;
}

static PyMethodDef wakeup_methods[] = {
    {"wait", (PyCFunction)(void (*)(void))wait_wakeup, METH_O, wait_doc},
    {NULL},
};

PyDoc_STRVAR(wakeup_doc, "Something that one thread waits for, once.");

static PyType_Slot wakeup_slots[] = {
    {Py_tp_new, new_wakeup},
    {Py_tp_dealloc, free_wakeup},
    {Py_tp_methods, wakeup_methods},
    {Py_tp_doc, (void *)wakeup_doc},
    {0, NULL},
};

static PyType_Spec wakeup_spec = {
    .name = "callgate._wakeups.Wakeup",
    .basicsize = sizeof(Wakeup),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = wakeup_slots,
};

static int begin_module(PyObject *module)
{
    State *state = PyModule_GetState(module);
    state->type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &wakeup_spec, NULL);
    return state->type == NULL ? -1 : PyModule_AddType(module, state->type);
}

static int visit_module(PyObject *module, visitproc visit, void *arg)
{
    State *state = PyModule_GetState(module);
    Py_VISIT(state->type);
    return 0;
}

static int clear_module(PyObject *module)
{
    State *state = PyModule_GetState(module);
    Py_CLEAR(state->type);
    return 0;
}

static PyMethodDef methods[] = {
    {"wake", (PyCFunction)(void (*)(void))wake, METH_O, wake_doc},
    {NULL},
};

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, begin_module},
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "callgate._wakeups",
    .m_doc = "Waiting threads, and waking many of them at once.",
    .m_size = sizeof(State),
    .m_methods = methods,
    .m_slots = slots,
    .m_traverse = visit_module,
    .m_clear = clear_module,
};

PyMODINIT_FUNC PyInit__wakeups(void)
{
    return PyModuleDef_Init(&definition);
}
