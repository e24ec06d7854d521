import test from 'tape'
import { isSwarmdiskError } from '../../../src/base/errors.js'
import { benchTime, chosenJobs, type BenchWords } from '../../../src/cli/input/bench-flags.js'

test('jobs are chosen by words', t => {
  const cases: readonly [BenchWords, number][] = [
    [{ write: false }, 3],
    [{ write: true }, 7],
    [{ write: false, only: 'depth 16' }, 1],
    [{ write: true, only: 'DEPTH 16' }, 2],
    [{ write: true, only: '^4 KiB (random )?write' }, 3],
    [{ write: true, depth: '1' }, 5],
    [{ write: false, depth: '256', only: 'random' }, 1],
    [{ write: true, 'block-size': '1m', depth: '16' }, 5],
    [{ write: false, 'block-size': '12K' }, 3],
  ]
  for (const [words, count] of cases) {
    t.equal(chosenJobs(words).length, count, JSON.stringify(words))
  }
  t.end()
})

test('words that cannot be right', t => {
  const cases: readonly [Partial<BenchWords>, RegExp][] = [
    [{ depth: '0' }, /--depth must be from 1 to 256/],
    [{ depth: '257' }, /--depth must be from 1 to 256/],
    [{ depth: '-1' }, /--depth must be a whole number/],
    [{ depth: '1.5' }, /--depth must be a whole number/],
    [{ depth: '17' }, /--depth 17 is too much for requests of 1 MiB: .* at most 16, or leave/],
    [{ 'block-size': '0' }, /--block-size must be a multiple of 4096 up to 1 MiB, not "0"/],
    [{ 'block-size': '4095' }, /multiple of 4096/],
    [{ 'block-size': '2M' }, /up to 1 MiB/],
    [{ 'block-size': 'big' }, /--block-size must be a size/],
    [{ only: '(' }, /regular expression/],
    [{ only: 'fsync' }, /matches no job: there are "4 KiB random read, depth 1", /],
    [{ only: 'write' }, /add --write/],
  ]
  for (const [words, says] of cases) {
    let said = ''
    try {
      chosenJobs({ write: false, ...words })
    } catch (error) {
      said = isSwarmdiskError(error, 'bad-input') ? error.message : String(error)
    }
    t.match(said, says, JSON.stringify(words))
  }
  t.end()
})

test('seconds', t => {
  const good: readonly [string, number][] = [
    ['3', 3_000],
    ['0.25', 250],
    ['0.001', 1],
    ['3600', 3_600_000],
  ]
  for (const [text, milliseconds] of good) t.equal(benchTime(text), milliseconds, text)
  for (const text of ['0', '-1', '3601', '1e3', '', ' ', '3s', 'Infinity', '0.0001', '0x3']) {
    t.throws(() => benchTime(text), /--seconds must be above 0 and at most 3600/, `"${text}"`)
  }
  t.end()
})
