from simple_registry.server.slots import SERVED, UNSERVED, Slot, Worker


def test_a_slot_is_refilled_at_once_twice_and_then_a_little_later_each_time():
    slot = Slot(0)
    delays = []
    for moment in (100.0, 101.0, 102.0, 103.0):
        slot.died(moment)
        delays.append(round(slot.refill_at - moment, 3))
    assert delays == [0.0, 0.0, 0.2, 0.4]
    for moment in range(104, 120):
        slot.died(float(moment))
        assert slot.refill_at - moment <= 5.0
    slot.died(1000.0)
    assert slot.refill_at == 1000.0


def test_a_worker_that_served_is_replaced_at_once_however_many_died_before_it():
    slot = Slot(0)
    for moment in (100.0, 101.0, 102.0, 103.0):
        slot.died(moment)
    slot.died(104.0, served=SERVED)
    assert slot.refill_at == 104.0
    slot.died(105.0)
    assert slot.refill_at == 105.0


def worker(slot, **how):
    return Worker(1, slot, -1, **how)


def test_a_slot_is_unserved_from_the_first_death_to_the_next_worker_that_is_ready():
    slot = Slot(0)
    slot.current = worker(slot, ready=True)
    assert not slot.is_unserved(1000.0)
    slot.died(100.0, served=SERVED)
    slot.died(101.0)
    assert not slot.is_unserved(100.0 + UNSERVED - 0.1)
    assert slot.is_unserved(100.0 + UNSERVED)
    slot.resting = True
    assert not slot.is_unserved(100.0 + UNSERVED)
    slot.current = worker(slot, ready=True)
    assert slot.welcome(slot.current) is None
    assert not slot.resting
    assert not slot.is_unserved(1000.0)


def test_a_successor_takes_the_slot_when_it_is_ready():
    slot = Slot(0)
    slot.current, slot.successor = worker(slot, ready=True), worker(slot)
    before, after = slot.current, slot.successor
    assert slot.welcome(after) is before
    assert (slot.current, slot.successor) == (after, None)


def test_the_reason_is_what_it_said_or_how_it_ended():
    slot = Slot(0)
    assert worker(slot, said=b"cannot open the database").reason(1) == "cannot open the database"
    assert worker(slot, said=b"ready", ready=True).reason(1) == "it ended with code 1"
    assert worker(slot).reason(-9) == "killed by signal 9"
