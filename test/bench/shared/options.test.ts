import test from 'tape'
import {
  BadOption,
  jsonPath,
  oneOf,
  pattern,
  positive,
  readOptions,
  someOf,
  whole,
  wholeList,
} from '../../../bench/shared/options.js'

const TABLE = {
  seconds: positive(2),
  runs: whole(3, { from: 1, to: 100 }),
  replicas: wholeList([3], { from: 1, to: 3 }),
  on: oneOf('image', ['image', 'loop']),
  more: someOf(['volumes', 'clients', 'epochs']),
  only: pattern(),
  json: jsonPath(),
}

test('without words every option has its default', t => {
  const { only, ...rest } = readOptions([], TABLE)
  t.deepEqual(rest, {
    ...{ seconds: 2, runs: 3, replicas: [3], on: 'image', json: null },
    more: ['volumes', 'clients', 'epochs'],
  })
  t.ok(only.test('whatever'), 'nothing is left out')
  t.end()
})

test('words are read, with a space or an equals sign', t => {
  const words = ['--seconds', '0.5', '--runs=1', '--replicas', '3,1,3', '--on', 'loop']
  const more = ['--more', 'epochs,volumes', '--only', 'Random READ', '--json', '-']
  const { only, ...rest } = readOptions([...words, ...more], TABLE)
  t.deepEqual(rest, {
    ...{ seconds: 0.5, runs: 1, replicas: [3, 1], on: 'loop', json: '-' },
    more: ['volumes', 'epochs'],
  })
  t.ok(only.test('4 KiB random read, depth 1'), 'in either case')
  t.end()
})

test('what cannot be read is one sentence that names the option', t => {
  const wrong: readonly (readonly [readonly string[], RegExp])[] = [
    [['--sec', '1'], /^"--sec" is unknown: use --seconds, --runs, .*--json\.$/],
    [['fast'], /^"fast" is unknown: use /],
    [['-s', '1'], /^"-s" is unknown/],
    [['--constructor', '1'], /^"--constructor" is unknown/],
    [['--seconds'], /^--seconds needs a value\.$/],
    [['--seconds', '0'], /^--seconds takes a number above 0, not "0"\.$/],
    [['--seconds', '-1'], /^--seconds takes a number above 0, not "-1"\.$/],
    [['--seconds', ''], /^--seconds takes a number above 0, not ""\.$/],
    [['--runs', '1.5'], /^--runs takes whole numbers from 1 to 100, not "1\.5"\.$/],
    [['--runs', '0x10'], /not "0x10"/],
    [['--replicas', '1,4'], /^--replicas takes whole numbers from 1 to 3, not "4"\.$/],
    [['--replicas', '1,'], /not ""/],
    [['--on', 'disk'], /^--on is image or loop, not "disk"\.$/],
    [['--more', 'volumes,x'], /^--more takes some of .*, and "x" is none\.$/],
    [['--only', '('], /^--only takes a regular expression, and "\(" is none\.$/],
    [['--json='], /^--json takes the name of a file, or - for standard output\.$/],
  ]
  for (const [words, sentence] of wrong) {
    try {
      readOptions(words, TABLE)
      t.fail(`${words.join(' ')} was read`)
    } catch (error) {
      t.ok(error instanceof BadOption, `${words.join(' ')}: is refused`)
      t.match((error as Error).message, sentence, 'in these words')
    }
  }
  t.end()
})
