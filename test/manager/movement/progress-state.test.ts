// What is left, and for how long: counters that only go down, and no guesses.
import test from 'tape'
import { ProgressState } from '../../../src/manager/movement/progress-state.js'

const SECOND = 1_000
const never = (): boolean => false

test('what is left goes down, and with the rate of the last minute', t => {
  const state = new ProgressState()
  t.equal(state.left('a'), null)
  t.equal(state.secondsLeft('a', 0), null)
  for (let second = 0; second <= 4; second++) {
    state.note(second * SECOND, new Map([['a', 1_000 - 10 * second]]), never)
  }
  t.equal(state.left('a'), 960)
  t.equal(state.secondsLeft('a', 4 * SECOND), null, 'nobody knows yet')
  state.note(5 * SECOND, new Map([['a', 950]]), never)
  t.equal(state.secondsLeft('a', 5 * SECOND), 95)
  state.note(6 * SECOND, new Map([['a', 980]]), never)
  t.equal(state.left('a'), 950, 'it does not go up')
  for (let second = 7; second <= 200; second++) {
    state.note(second * SECOND, new Map([['a', 950]]), never)
  }
  t.equal(state.secondsLeft('a', 200 * SECOND), null, 'nothing goes on any more')
  state.note(201 * SECOND, new Map([['a', 0]]), never)
  t.equal(state.secondsLeft('a', 201 * SECOND), 0)
  state.note(202 * SECOND, new Map(), never)
  t.equal(state.left('a'), null, 'it is over')
  t.end()
})

test('where there may be more work, its rate is measured anew', t => {
  const state = new ProgressState()
  for (let second = 0; second <= 6; second++) {
    state.note(second * SECOND, new Map([['a', 100 - 10 * second]]), never)
  }
  t.equal(state.secondsLeft('a', 6 * SECOND), 4)
  state.note(7 * SECOND, new Map([['a', 500]]), () => true)
  t.equal(state.left('a'), 500)
  t.equal(state.secondsLeft('a', 7 * SECOND), null)
  t.end()
})
