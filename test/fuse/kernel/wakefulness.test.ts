// Staying awake for the next event: when it is worth it, and that it ends.
import test from 'tape'
import { milliseconds } from '../../../src/base/brands.js'
import type { Clock } from '../../../src/base/clock.js'
import { FUSE_AWAKE_MS, FUSE_AWAKE_REQUESTS_MAX } from '../../../src/base/limits.js'
import { Promptness, Wakefulness } from '../../../src/fuse/kernel/wakefulness.js'

const SOON = FUSE_AWAKE_MS / 2
const LATE = FUSE_AWAKE_MS * 2
const MANY = 40

/** A clock that goes on by a microsecond whenever somebody looks at it. */
class LookedAtClock implements Clock {
  time = (): number => 0
  #now = 0

  now(): ReturnType<Clock['now']> {
    return milliseconds((this.#now += 0.001))
  }

  pass(delay: number): void {
    this.#now += delay
  }

  date(): string {
    throw new Error('nobody asks for the date')
  }

  after(): never {
    throw new Error('nobody sets a timer')
  }
}

class Scene {
  readonly clock = new LookedAtClock()
  readonly turns: (() => void)[] = []
  underWay = 0
  readonly wakefulness: Wakefulness

  constructor(allowed = true) {
    this.wakefulness = new Wakefulness({
      clock: this.clock,
      allowed,
      underWay: () => this.underWay,
      nextTurn: call => this.turns.push(call),
    })
  }

  /** A program that sends a request as soon as it has the answer to the last one. */
  exchange(answerAfter: number, nextAfter: number): void {
    this.underWay++
    this.wakefulness.asked()
    this.clock.pass(answerAfter)
    this.underWay--
    this.wakefulness.answered()
    this.clock.pass(nextAfter)
  }

  /** Turns of the event loop until it may sleep. */
  untilAsleep(): number {
    let turns = 0
    for (; this.turns.length > 0; turns++) this.turns.splice(0).forEach(turn => turn())
    return turns
  }
}

test('promptness: it is worth staying awake when half of the events come soon', t => {
  const promptness = new Promptness()
  t.notOk(promptness.begin(0), 'nothing is known')
  promptness.came(SOON)
  t.notOk(promptness.begin(0), 'one says nothing')
  for (let i = 0; i < MANY; i++) {
    promptness.begin(0)
    promptness.came(SOON)
  }
  t.ok(promptness.begin(0))
  promptness.came(LATE)
  t.ok(promptness.begin(0), 'a hiccup changes nothing')
  for (let i = 0; i < MANY; i++) {
    promptness.came(LATE)
    promptness.begin(0)
  }
  t.notOk(promptness.begin(0))
  t.end()
})

test('promptness: what was not waited for says nothing', t => {
  const promptness = new Promptness()
  for (let i = 0; i < MANY; i++) promptness.came(SOON)
  t.notOk(promptness.begin(0))
  t.end()
})

test('wakefulness: stays awake between prompt answers and requests, and no longer', t => {
  const scene = new Scene()
  scene.exchange(SOON, SOON)
  t.equal(scene.turns.length, 0, 'sleeps before it knows')
  for (let i = 0; i < MANY; i++) scene.exchange(SOON, SOON)
  t.equal(scene.turns.length, 1, 'one turn is asked for, however many events come')
  scene.clock.pass(LATE)
  scene.untilAsleep()
  scene.wakefulness.asked()
  const turns = scene.untilAsleep()
  t.ok(turns > 10, `looks now and then (${turns} times)`)
  t.ok(turns < 100, 'and not all the time')
  t.end()
})

test('wakefulness: waits awake for requests only, where answers are slow', t => {
  const scene = new Scene()
  for (let i = 0; i < MANY; i++) scene.exchange(LATE, SOON)
  scene.clock.pass(LATE)
  scene.untilAsleep()
  scene.wakefulness.asked()
  t.equal(scene.untilAsleep(), 0)
  scene.wakefulness.answered()
  t.ok(scene.untilAsleep() > 1)
  t.end()
})

test('wakefulness: an event that calls for sleep ends it at once', t => {
  const scene = new Scene()
  for (let i = 0; i < MANY; i++) scene.exchange(LATE, SOON)
  scene.wakefulness.asked()
  t.equal(scene.untilAsleep(), 1, 'the turn that was asked for, and no other')
  t.end()
})

test('wakefulness: sleeps with one core, and with many requests under way', t => {
  const one = new Scene(false)
  for (let i = 0; i < MANY; i++) one.exchange(SOON, SOON)
  t.equal(one.turns.length, 0, 'one core')
  const busy = new Scene()
  busy.underWay = FUSE_AWAKE_REQUESTS_MAX
  for (let i = 0; i < MANY; i++) busy.exchange(SOON, SOON)
  t.ok(busy.turns.length > 0, 'few requests')
  const full = new Scene()
  full.underWay = FUSE_AWAKE_REQUESTS_MAX + 1
  for (let i = 0; i < MANY; i++) full.exchange(SOON, SOON)
  t.equal(full.turns.length, 0, 'many requests')
  t.end()
})
