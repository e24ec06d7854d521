import test from 'tape'
import { cpuSeconds, footprintOf, parseStat, parseStatus } from '../../../bench/shared/processes.js'

test('memory as /proc tells it', t => {
  const text = 'Name:\tnode\nVmPeak:\t 900000 kB\nVmHWM:\t  204800 kB\nVmRSS:\t  102400 kB\n'
  t.deepEqual(parseStatus(text), { resident: 100, peak: 200 })
  t.throws(() => parseStatus('Name:\tkthreadd\n'), /a process that lives has memory/)
  const { resident, peak } = footprintOf(process.pid)
  t.ok(resident > 1 && resident <= peak, 'of a real process')
  t.end()
})

test('CPU time as /proc tells it', t => {
  const rest = 'S 1 7 7 0 -1 4194560 99 0 0 0 250 50 0 0 20 0 11 0 12345 1 1'
  t.equal(parseStat(`7 (node) ${rest}`), 3)
  t.equal(parseStat(`7 (a) b (c) ${rest}`), 3, 'whatever its name')
  t.throws(() => parseStat('7 (node) S'), /ticks are whole numbers/)
  t.ok(cpuSeconds([process.pid, process.pid]) > 0, 'of real processes')
  t.end()
})
