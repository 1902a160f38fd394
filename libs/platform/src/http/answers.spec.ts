import { afterEach, describe, expect, it } from '@jest/globals';
import { Get, HttpCode, Module, Post, Query, type Type as Class } from '@nestjs/common';
import { Type } from '@sinclair/typebox';
import {
  accessProviders,
  Answers,
  Api,
  Command,
  type CommandInput,
  createHttpApp,
  createLogger,
  For,
  ForAnyone,
  type HttpApp,
  type HttpReply,
  named,
  noContent,
  Reply,
  Shows,
  ShowsList,
  snapshot,
  Summary,
  Text,
} from '../index.js';
import { as, key, verifyToken } from './things.fixture.js';

const Wheel = named('Wheel', Type.Object({ size: Type.Integer() }));
const Bike = named('Bike', Type.Object({ wheels: Type.Array(Wheel) }));
const bike = { wheels: [{ size: 28 }] };
const facts = { position: null, lagMs: 0 };

class BikeQuery {
  @Text() answer!: string;
}

@Api('v1/bikes')
class BikesController {
  @Summary('Shows something.')
  @Get()
  @ForAnyone()
  @ShowsList(Bike, { total: Type.Integer() })
  list() {
    return snapshot({ items: [bike], nextPageToken: null, total: 1 }, facts);
  }
  @Summary('Shows something.') @Get('best') @ForAnyone() @Shows(Bike) best() {
    return snapshot(bike, facts);
  }
  @Summary('Shows something.') @Get('sent') @ForAnyone() @Answers(Bike, { orNothing: true }) sent(
    @Query() { answer }: BikeQuery,
    @Reply() reply: HttpReply,
  ): unknown {
    return answer === 'nothing' ? noContent(reply) : JSON.parse(answer);
  }
  @Summary('Does something.') @Post('races') @HttpCode(200) @For('auditor') @Answers(Wheel) race(
    @Command() command: CommandInput,
  ) {
    return { size: command.context.commandId.length };
  }
}

@Module({})
class BikesModule {}

let app: HttpApp;
afterEach(() => app.close());

async function serve(controllers: readonly Class[], checkAnswers: boolean): Promise<string> {
  const module = {
    module: BikesModule,
    controllers: [...controllers],
    providers: accessProviders({ verifyToken }),
  };
  app = await createHttpApp({
    modules: [module],
    docs: [{ name: 'bikes', title: 'Bikes', module }],
    log: createLogger('spec', 'silent'),
    checkAnswers,
  });
  return app.listen(0, '127.0.0.1');
}

const get = async (url: string) => {
  const response = await fetch(url);
  const text = await response.text();
  const body: unknown = text === '' ? null : JSON.parse(text);
  return { status: response.status, body };
};
const sending = (url: string, answer: unknown) =>
  get(`${url}/v1/bikes/sent?answer=${encodeURIComponent(JSON.stringify(answer))}`);

const json = (schema: object) => ({ content: { 'application/json': { schema } } });
const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });
const answersOf = (path: string, method: 'get' | 'post' = 'get') =>
  app.document('bikes').paths[path]?.[method]?.responses;

describe('what a route answers', () => {
  it('stands in its document, under its name where it has one', async () => {
    await serve([BikesController], false);
    const { components } = app.document('bikes');
    expect(components?.schemas).toMatchObject({
      Wheel: { type: 'object', properties: { size: { type: 'integer' } } },
      Bike: { properties: { wheels: { type: 'array', items: ref('Wheel') } } },
    });
    expect(components?.schemas?.['Bike']).not.toHaveProperty('title');
    expect(answersOf('/v1/bikes/best')).toMatchObject({
      '200': json({
        required: ['asOf', 'position', 'lagMs', 'partial', 'data'],
        properties: { data: ref('Bike') },
      }),
    });
  });

  it('has the status of the route, and 204 where it may be nothing', async () => {
    await serve([BikesController], false);
    expect(answersOf('/v1/bikes/races', 'post')).toMatchObject({ '200': json(ref('Wheel')) });
    const sent = answersOf('/v1/bikes/sent');
    expect(sent).toMatchObject({
      '200': json(ref('Bike')),
      '204': { description: 'Nothing to say.' },
    });
    expect(sent?.['204']).not.toHaveProperty('content');
  });

  it('is a page of a list, with what else it says', async () => {
    await serve([BikesController], false);
    const data = {
      required: ['total', 'items', 'nextPageToken'],
      properties: {
        total: { type: 'integer' },
        items: { type: 'array', items: ref('Bike') },
        nextPageToken: { anyOf: [{ type: 'string' }, { type: 'null' }] },
      },
    };
    expect(answersOf('/v1/bikes')).toMatchObject({ '200': json({ properties: { data } }) });
  });

  it('has one schema for each name', async () => {
    @Api('v1/trikes')
    class TrikesController {
      @Summary('Shows something.')
      @Get()
      @ForAnyone()
      @Answers(named('Wheel', Type.Object({})))
      get() {
        return {};
      }
    }
    await expect(serve([BikesController, TrikesController], false)).rejects.toThrow(
      'Two different schemas are named Wheel.',
    );
  });

  it('cannot take the name of a body', async () => {
    @Api('v1/trikes')
    class TrikesController {
      @Summary('Shows something.')
      @Get()
      @ForAnyone()
      @Answers(named('Problem', Type.Object({})))
      get() {
        return {};
      }
    }
    await expect(serve([TrikesController], false)).rejects.toThrow(
      'Two schemas of Bikes are named Problem.',
    );
  });
});

describe('answers that are checked', () => {
  it('are sent when they fit', async () => {
    const url = await serve([BikesController], true);
    expect(await get(`${url}/v1/bikes`)).toMatchObject({ status: 200 });
    expect(await get(`${url}/v1/bikes/best`)).toMatchObject({ status: 200 });
    expect(await sending(url, bike)).toEqual({ status: 200, body: bike });
    expect(await get(`${url}/v1/bikes/sent?answer=nothing`)).toEqual({ status: 204, body: null });
    const headers = { ...as('auditor'), ...key() };
    const raced = await fetch(`${url}/v1/bikes/races`, { method: 'POST', headers });
    expect(raced.status).toBe(200);
  });

  it.each([
    ['a wrong value', { wheels: [{ size: 'big' }] }, 'wheels[0].size', 'Expected integer'],
    ['a missing field', {}, 'wheels', 'Expected required property'],
    ['another field', { wheels: [{ size: 1, hub: 2 }] }, 'wheels[0].hub', 'is not documented'],
    ['a list', [bike], '', 'Expected object'],
  ])('are refused for %s', async (_, answer, field, rule) => {
    const url = await serve([BikesController], true);
    expect(await sending(url, answer)).toMatchObject({
      status: 500,
      body: { code: 'undocumented-answer', errors: [{ field, rule }] },
    });
  });

  it('may be nothing only where the route says so', async () => {
    @Api('v1/trikes')
    class TrikesController {
      @Summary('Shows something.') @Get() @ForAnyone() @Answers(Bike) get() {
        return null;
      }
    }
    const url = await serve([TrikesController], true);
    expect(await get(`${url}/v1/trikes`)).toMatchObject({
      status: 500,
      body: { code: 'undocumented-answer' },
    });
  });

  it('are refused where the route does not say what it answers', async () => {
    @Api('v1/trikes')
    class TrikesController {
      @Summary('Shows something.') @Get() @ForAnyone() get() {
        return {};
      }
    }
    const url = await serve([TrikesController], true);
    expect(await get(`${url}/v1/trikes`)).toMatchObject({
      status: 500,
      body: { errors: [{ rule: 'the route does not say what it answers' }] },
    });
  });

  it('are sent as they are where nobody asked for the check', async () => {
    const url = await serve([BikesController], false);
    expect(await sending(url, { wheels: 'none' })).toMatchObject({ status: 200 });
  });
});
