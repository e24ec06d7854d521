// What `attach`, `detach` and `volume resize` ask of the process of a mount.
import test from 'tape'
import { CLAIM_HELD_MS } from '../../../src/base/limits.js'
import { mountRoutes } from '../../../src/cli/mounts/mount-control.js'
import type { AdminResult } from '../../../src/net/admin.js'
import { MemoryDriver } from '../../helpers/memory-driver.js'
import { VirtualClock } from '../../simulator/virtual-clock.js'

function make() {
  const driver = new MemoryDriver({ a: 4096 })
  const clock = new VirtualClock()
  const routes = mountRoutes({ driver, clock })
  const ask = (path: string, body: unknown): Promise<AdminResult> =>
    clock.settle(path, routes[path]!(body) as Promise<AdminResult>)
  return { driver, clock, ask, claims: () => driver.claims.get('a') ?? 0 }
}

test('a claim lasts until it is given up', async t => {
  const { ask, claims } = make()
  t.deepEqual(await ask('/claim', { volume: 'a', takeover: false }), { ok: true, result: {} })
  t.equal(claims(), 1)
  await ask('/claim', { volume: 'a', takeover: true })
  t.equal(claims(), 1, 'the second one replaces the first')
  await ask('/unclaim', { volume: 'a' })
  t.equal(claims(), 0)
  await ask('/unclaim', { volume: 'a' })
  t.equal(claims(), 0, 'there was none')
})

test('whoever asked may have died', async t => {
  const { ask, claims, clock } = make()
  await ask('/claim', { volume: 'a' })
  await clock.advance(CLAIM_HELD_MS + 1)
  t.equal(claims(), 0)
})

test('refusals reach the command', async t => {
  const { ask, claims, driver } = make()
  driver.refuseAttach('in-use')
  const refused = await ask('/claim', { volume: 'a' })
  t.equal(!refused.ok && refused.code, 'in-use')
  t.equal(claims(), 0)
  const missing = await ask('/claim', { volume: 'b' })
  t.equal(!missing.ok && missing.code, 'not-found')
  const nothing = await ask('/claim', null)
  t.equal(!nothing.ok && nothing.code, 'bad-input')
})

test('released: when nobody has it open for writing any more', async t => {
  const { ask, clock, driver } = make()
  const volume = driver.open('a')!
  await volume.attach()
  clock.after(1_000, () => void volume.release())
  const began = clock.now()
  t.ok((await ask('/released', { volume: 'a' })).ok)
  t.ok(clock.now() - began >= 1_000)
})

test('sized: when the mount has heard of the new size, if it ever does', async t => {
  const { ask, clock, driver } = make()
  clock.after(1_000, () => driver.grow('a', 8192))
  const began = clock.now()
  t.ok((await ask('/sized', { volume: 'a', size: 8192 })).ok)
  t.ok(clock.now() - began >= 1_000)
  const never = await ask('/sized', { volume: 'a', size: 4096 })
  t.equal(!never.ok && never.code, 'not-found', 'of another cluster, perhaps')
  const other = await ask('/sized', { volume: 'b', size: 4096 })
  t.equal(!other.ok && other.code, 'not-found')
  const nothing = await ask('/sized', { volume: 'a', size: '4096' })
  t.equal(!nothing.ok && nothing.code, 'not-found')
})
