# The image of one Forebay node. It holds no secret: keys come from the environment, or are made at the first start and
# kept in the data volume.
FROM node:26-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
# The platform's own native parts are optional dependencies, and so is a Node that the base image has already.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund && rm -rf node_modules/node-linux-* node_modules/.bin

FROM node:26-slim
ENV NODE_ENV=production \
    FOREBAY_HOST=0.0.0.0 \
    FOREBAY_DATA=/data
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json LICENSE ./
COPY scripts/health-check.ts ./scripts/
COPY src ./src
RUN mkdir /data && chown node:node /data
USER node
VOLUME ["/data"]
EXPOSE 9000 9001 9002
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 CMD ["node", "scripts/health-check.ts"]
ENTRYPOINT ["node", "src/cli/main.ts"]
CMD ["serve"]
